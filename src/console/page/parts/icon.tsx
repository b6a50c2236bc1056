/** Drawn here: nothing is loaded. Sixteen by sixteen, in the colour of the text; each has a word or a label beside it. */

const paths = {
  mark: "M2 11.5 6 4.5l3.5 6 2-3.5L14 11.5M2 13.5h12",
  overview: "M2.5 13.5v-5M6.2 13.5v-9M9.8 13.5V7M13.5 13.5v-11",
  tasks: "M2.5 4l1 1 1.8-2M2.5 8.3l1 1 1.8-2M2.5 12.6l1 1 1.8-2M8 4h5.5M8 8.3h5.5M8 12.6h5.5",
  traces: "M2 3.5h7M4.5 8h7M8 12.5h6",
  dead: "M3 4.5h10M6 4.5v-2h4v2M4.2 4.5l.6 9h6.4l.6-9M6.8 7v4M9.2 7v4",
  system: "M3 3h10v4H3zM3 9h10v4H3zM5.3 5h.1M5.3 11h.1",
  "theme-system": "M2 3h12v8H2zM6 13.5h4M8 11v2.5",
  "theme-light":
    "M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6zM8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M3.4 12.6l.9-.9M11.7 4.3l.9-.9",
  "theme-dark": "M13 9.6A5.5 5.5 0 0 1 6.4 3a5.5 5.5 0 1 0 6.6 6.6z",
  key: "M6 10a3 3 0 1 1 2.6-1.5L13.5 13.5M11 11l1.5-1.5M6 7v.1",
  help: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM6.3 6.4a1.8 1.8 0 1 1 2.6 1.7c-.6.3-.9.6-.9 1.2M8 11.4v.1",
  search: "M7 12a5 5 0 1 0 0-10 5 5 0 0 0 0 10zM10.7 10.7 14 14",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  done: "M3 8.5l3.2 3.2L13 5",
  add: "M8 3v10M3 8h10",
  close: "M4 4l8 8M12 4l-8 8",
  right: "M6 3.5 10.5 8 6 12.5",
  down: "M3.5 6 8 10.5 12.5 6",
  left: "M10 3.5 5.5 8l4.5 4.5",
  link: "M6.5 9.5 9.5 6.5M7 4.5l1.7-1.7a3 3 0 0 1 4.4 4.3L11.4 9M9 11.5l-1.7 1.7a3 3 0 0 1-4.4-4.3L4.6 7",
  out: "M9 3h4v4M13 3 7.5 8.5M11 9.5V13H3V5h3.5",
  wait: "M4 2.5h8M4 13.5h8M5 2.5c0 3.5 6 3.5 6 5.5s-6 2-6 5.5M11 2.5c0 3.5-6 3.5-6 5.5s6 2 6 5.5",
  log: "M3 4h10M3 8h10M3 12h6",
  warning: "M8 2.5 14.5 13.5h-13zM8 6.5v3.2M8 11.6v.1",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}
