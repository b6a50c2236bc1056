/**
 * The console's page: starts what lives as long as the page does, and draws it. What runs here runs in a browser;
 * `bun run page` makes one script of it and puts that into src/gen/.
 */

import { render } from "preact";
import { App } from "./app.tsx";
import { followLinks } from "./location.ts";
import { listenToKeys } from "./shortcuts.ts";
import { applyTheme } from "./theme.ts";

applyTheme();
followLinks();
listenToKeys();

const root = document.getElementById("app");
if (root) render(<App />, root);
