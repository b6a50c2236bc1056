/**
 * The console's page: starts what lives as long as the page does, and draws the frame around every view: navigation,
 * dialogs for the keyboard and the API key, and the keys that work everywhere. What runs here runs in a browser;
 * `bun run page` makes one script of it and puts that into src/gen/.
 */

import { signal } from "@preact/signals";
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { apiKey, keyAsked, setApiKey } from "./api.ts";
import { isLive, toggleLive } from "./live.ts";
import { followLinks, go, here } from "./location.ts";
import { Dialog } from "./parts/controls.tsx";
import { Icon, type IconName } from "./parts/icon.tsx";
import { Notices } from "./parts/notices.tsx";
import { Empty } from "./parts/view.tsx";
import { currentShortcuts, listenToKeys, moveRow, useShortcuts } from "./shortcuts.ts";
import { applyTheme, nextTheme, theme, themeNames } from "./theme.ts";
import { type View, viewOf, views } from "./views.ts";

export function App() {
  const { path } = here.value;
  const found = viewOf(path);
  useEffect(() => {
    document.title = `${found?.id || found?.view.title || "Not found"} · Throughline`;
  }, [found?.id, found?.view.title]);
  useShortcuts(
    [
      { keys: "/", title: "Search", act: () => document.querySelector<HTMLElement>("[data-search]")?.focus() },
      { keys: "j", title: "Next row", act: () => moveRow(1) },
      { keys: "k", title: "Row before", act: () => moveRow(-1) },
      { keys: "Enter", title: "Open the row", act: openRow },
      { keys: "p", title: "Pause, go on", act: toggleLive },
      { keys: "?", title: "This help", act: () => (isHelpOpen.value = true) },
      ...views.flatMap(({ nav, path: to, title }) => (nav ? { keys: `g ${nav.key}`, title, act: () => go(to) } : [])),
    ],
    { isBase: true },
  );
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById("main")?.focus()}>
        Skip to content
      </button>
      <Navigation path={path} />
      <main id="main" tabIndex={-1}>
        {found ? <found.view.component key={found.view.path + found.id} id={found.id} /> : <NotFound path={path} />}
      </main>
      <Notices />
      {isHelpOpen.value && <HelpDialog />}
      {keyAsked.value !== undefined && <KeyDialog why={keyAsked.value} />}
    </>
  );
}

/** A link would do it by itself; of other rows it is a click. */
function openRow(): void {
  if (document.activeElement instanceof HTMLElement) document.activeElement.click();
}

function Navigation({ path }: { path: string }) {
  return (
    <header class="side">
      <a class="brand" href="/">
        <Icon name="mark" />
        <span>Throughline</span>
      </a>
      <nav aria-label="Views">
        {views.map((view) => view.nav && <NavLink key={view.path} view={view} icon={view.nav.icon} path={path} />)}
      </nav>
      <div class="side-foot">
        <button
          type="button"
          class="quiet-button"
          aria-pressed={!isLive.value}
          onClick={toggleLive}
          title="Pause, go on (p)"
        >
          <span class={isLive.value ? "pulse" : "pulse paused"} aria-hidden="true" />
          <span>{isLive.value ? "Live" : "Paused"}</span>
        </button>
        <button type="button" class="quiet-button" onClick={nextTheme} aria-label={`Theme: ${themeNames[theme.value]}`}>
          <Icon name={`theme-${theme.value}`} />
          <span>{themeNames[theme.value]}</span>
        </button>
        {apiKey.value !== undefined && (
          <button type="button" class="quiet-button" onClick={() => setApiKey("")} aria-label="Forget the API key">
            <Icon name="key" />
            <span>Forget the key</span>
          </button>
        )}
        <button type="button" class="quiet-button" onClick={() => (isHelpOpen.value = true)} aria-label="Help">
          <Icon name="help" />
          <span>Help</span>
        </button>
      </div>
    </header>
  );
}

function NavLink({ view, icon, path }: { view: View; icon: IconName; path: string }) {
  const isHere = path === view.path || (view.path !== "/" && path.startsWith(`${view.path}/`));
  return (
    <a href={view.path} class={isHere ? "nav-link here" : "nav-link"} aria-current={isHere ? "page" : undefined}>
      <Icon name={icon} />
      <span>{view.title}</span>
    </a>
  );
}

function NotFound({ path }: { path: string }) {
  return (
    <Empty title="There is nothing here">
      No view has the address <code>{path}</code>. <a href="/tasks">See the tasks</a>.
    </Empty>
  );
}

export const isHelpOpen = signal(false);

/** The keys that there are at the moment. */
export function HelpDialog() {
  return (
    <Dialog title="Keyboard" onClose={() => (isHelpOpen.value = false)}>
      <dl class="shortcuts">
        {currentShortcuts().map(({ keys, title }) => (
          <div key={keys}>
            <dt>
              {keys.split(" ").map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{title}</dd>
          </div>
        ))}
        <div>
          <dt>
            <kbd>Esc</kbd>
          </dt>
          <dd>Leave a field, close a dialog</dd>
        </div>
      </dl>
    </Dialog>
  );
}

/** Asks for an API key when the console requires one. */
export function KeyDialog({ why }: { why: string }) {
  const [text, setText] = useState("");
  const submit = (event: Event): void => {
    event.preventDefault();
    setApiKey(text);
  };
  return (
    <Dialog title="API key" onClose={() => (keyAsked.value = undefined)}>
      <form onSubmit={submit}>
        <p class="quiet">{why}</p>
        <label class="field">
          <span>Key</span>
          <input
            type="password"
            autoComplete="off"
            spellcheck={false}
            placeholder="tl_…"
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        <p class="quiet small">
          It stays in this tab, and is forgotten when the tab is closed. <code>throughline key create</code> makes one.
        </p>
        <footer>
          <button type="submit" class="primary" disabled={text.trim() === ""}>
            Use this key
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

applyTheme();
followLinks();
listenToKeys();

const root = document.getElementById("app");
if (root) render(<App />, root);
