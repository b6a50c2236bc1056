/** The style sheet of the page at `/docs`: light and dark as the reader's system has it, for a wide and a narrow screen. */

export const style = `
:root {
  color-scheme: light dark;
  --text: light-dark(#1b1f24, #e4e8ee);
  --quiet: light-dark(#57606a, #9aa5b1);
  --page: light-dark(#ffffff, #12161c);
  --raised: light-dark(#f5f7f9, #1b212a);
  --line: light-dark(#d8dee4, #303946);
  --link: light-dark(#0a5cad, #7ab8ff);
  --get: light-dark(#0a6b3d, #5fd39a);
  --post: light-dark(#0a5cad, #7ab8ff);
  --put: light-dark(#8a5300, #f0b45e);
  --delete: light-dark(#b3261e, #ff9c94);
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body {
  margin: 0; display: grid; grid-template-columns: 18rem minmax(0, 1fr);
  font: 16px/1.55 system-ui, sans-serif; color: var(--text); background: var(--page);
}
nav {
  position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1rem;
  background: var(--raised); border-right: 1px solid var(--line); font-size: .875rem;
}
nav ul { list-style: none; margin: .25rem 0 1rem; padding: 0; }
nav li a { display: flex; gap: .5rem; padding: .2rem 0; color: var(--text); text-decoration: none; }
nav a:hover { text-decoration: underline; }
nav .method { flex: 0 0 3.2rem; }
summary { cursor: pointer; font-weight: 600; }
nav summary, h2 { text-transform: capitalize; }
main { padding: 1.5rem 2rem 6rem; max-width: 60rem; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 1rem; }
h2 { font-size: 1.4rem; margin: 3rem 0 .25rem; }
h3 { font-size: 1.1rem; margin: 0 0 .5rem; }
main > h3 { margin-top: 1.5rem; }
h4 { font-size: .8rem; margin: 1.25rem 0 .25rem; color: var(--quiet); text-transform: uppercase; letter-spacing: .04em; }
p { margin: .5rem 0; }
a { color: var(--link); }
article { margin: 1.25rem 0; padding: 1.25rem; border: 1px solid var(--line); border-radius: .5rem; }
article:target { border-color: var(--link); }
code, pre, .method { font-family: ui-monospace, monospace; font-size: .875em; overflow-wrap: anywhere; }
pre { margin: .25rem 0; padding: .75rem; overflow-x: auto; background: var(--raised); border-radius: .375rem; }
.method { font-weight: 700; }
.get { color: var(--get); }
.post { color: var(--post); }
.put, .patch { color: var(--put); }
.delete { color: var(--delete); }
.address { padding: .5rem .75rem; background: var(--raised); border-radius: .375rem; }
.scope, .type, .optional, .limits, .example { color: var(--quiet); }
.type, .optional, .limits, .scope { font-size: .875rem; }
.limits::before { content: "("; }
.limits::after { content: ")"; }
.status { font-weight: 700; }
.fields { margin: .25rem 0; }
.fields dt { margin-top: .5rem; }
.fields dd { margin: 0 0 0 1rem; }
.fields .fields { padding-left: .75rem; border-left: 2px solid var(--line); }
details { margin: .5rem 0; }
@media (max-width: 48rem) {
  body { display: block; }
  nav { position: static; height: auto; max-height: 45vh; border-right: 0; border-bottom: 1px solid var(--line); }
  main { padding: 1rem 1rem 4rem; }
  article { padding: .875rem; }
}
@media print { nav { display: none; } body { display: block; } }
`;
