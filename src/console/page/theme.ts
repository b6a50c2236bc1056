/** Light, dark, or the system's choice; stored in this browser. */

import { computed, effect, signal } from "@preact/signals";

const themes = ["system", "light", "dark"] as const;
export type Theme = (typeof themes)[number];

export const themeNames: Record<Theme, string> = { system: "System theme", light: "Light theme", dark: "Dark theme" };

const storageName = "throughline-theme";

export const theme = signal<Theme>(readTheme());

const darkQuery = window.matchMedia("(prefers-color-scheme: dark)");
const isSystemDark = signal(darkQuery.matches);
darkQuery.addEventListener("change", ({ matches }) => {
  isSystemDark.value = matches;
});

/** Which of the two is shown: for what style sheets cannot reach. */
export const isDark = computed(() => (theme.value === "system" ? isSystemDark.value : theme.value === "dark"));

function readTheme(): Theme {
  const stored = window.localStorage.getItem(storageName);
  return themes.find((each) => each === stored) ?? "system";
}

/** For as long as the page lives. Style sheets use `light-dark()`, which goes by the root's `color-scheme`. */
export function applyTheme(): void {
  effect(() => {
    const chosen = theme.value;
    document.documentElement.dataset.theme = chosen;
    if (chosen === "system") window.localStorage.removeItem(storageName);
    else window.localStorage.setItem(storageName, chosen);
  });
}

export function nextTheme(): void {
  theme.value = themes[(themes.indexOf(theme.value) + 1) % themes.length] ?? "system";
}
