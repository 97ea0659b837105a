// Light or dark: as the system says, until somebody says otherwise here.

type Theme = "light" | "dark";
const KEY = "holdfast.theme";
const system = matchMedia("(prefers-color-scheme: dark)");

class Look {
  #chosen = $state<Theme | null>(remembered());
  #system = $state<Theme>(system.matches ? "dark" : "light");
  theme = $derived(this.#chosen ?? this.#system);

  constructor() {
    system.addEventListener("change", () => (this.#system = system.matches ? "dark" : "light"));
  }

  toggle(): void {
    this.#chosen = this.theme === "dark" ? "light" : "dark";
    localStorage.setItem(KEY, this.#chosen);
  }
}

function remembered(): Theme | null {
  const found = localStorage.getItem(KEY);
  return found === "light" || found === "dark" ? found : null;
}

export const look = new Look();
