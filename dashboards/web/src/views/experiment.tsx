// SPDX-License-Identifier: Apache-2.0
// The views of one experiment that are about its runs and jobs.
import "../styles/science.css";
export { CompareView } from "./experiment_compare";
export { CurvesView } from "./experiment_curves";
export { GraphView } from "./experiment_graph";
export { JobsView } from "./experiment_jobs";
export { ParetoView } from "./experiment_pareto";
export { RecipeView } from "./experiment_recipe";
export { RunsView } from "./experiment_runs";
