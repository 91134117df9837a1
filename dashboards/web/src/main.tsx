// SPDX-License-Identifier: Apache-2.0
import "./styles/base.css";
import "./styles/components.css";
import "./styles/views.css";
import { render } from "preact";
import { takeToken } from "./lib/api";
import { startLive } from "./lib/live";
import { applyTheme } from "./lib/theme";
import { App } from "./shell/app";

applyTheme();
takeToken();
startLive();
const root = document.getElementById("app");
if (root !== null) render(<App />, root);
