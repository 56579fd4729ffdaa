// temper's pages: begin.
import { render } from "preact";
import { App } from "./app";
import { findSession } from "./api/client";
import { followLinks } from "./router";
import "uplot/dist/uPlot.min.css";
import "./styles/base.css";
import "./styles/kit.css";
import "./styles/shell.css";
import "./styles/pages.css";
import "./styles/things.css";
import "./styles/tuning.css";
import "./styles/playground.css";

followLinks();
void findSession();
render(<App />, document.getElementById("app")!);
