import "./tokens.css";
import "./base.css";
import { mount } from "svelte";
import App from "./App.svelte";
import { look } from "./lib/theme.svelte";

document.documentElement.dataset.theme = look.theme; // before the first paint

mount(App, { target: document.getElementById("app")! });
