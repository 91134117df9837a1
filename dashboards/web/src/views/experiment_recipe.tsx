// SPDX-License-Identifier: Apache-2.0
// The recipe as it was submitted, with line numbers.
import type { VNode } from "preact";
import { Answer, Card, CopyButton, Facts } from "../components/basics";
import { useData } from "../lib/data";
import { download, fileName } from "../lib/export";
import { fullTime, integer } from "../lib/format";
import { recipeLines } from "../lib/recipe";
import type { RecipeDocument } from "../lib/types";
import type { ExperimentViewProps } from "../shell/experiment_frame";

const LINES_MAX = 5000;

function RecipeText(props: { text: string }): VNode {
  const lines = recipeLines(props.text);
  return (
    <div class="recipe" tabIndex={0} role="region" aria-label="Text of the recipe">
      <code>
        {lines.slice(0, LINES_MAX).map((pieces, k) => (
          <span key={k} class="recipe-line">
            <span class="recipe-number" aria-hidden="true">
              {k + 1}
            </span>
            <span class="recipe-code">
              {pieces.map((p, i) =>
                p.kind === "text" ? (
                  p.text
                ) : (
                  <span key={i} class={"code-" + p.kind}>
                    {p.text}
                  </span>
                ),
              )}
              {"\n"}
            </span>
          </span>
        ))}
      </code>
      {lines.length > LINES_MAX && (
        <p class="muted">… {integer(lines.length - LINES_MAX)} lines more: copy it for all.</p>
      )}
    </div>
  );
}

export function RecipeView(props: ExperimentViewProps): VNode {
  const recipe = useData<RecipeDocument>(`experiments/${props.id}/recipe`);
  const e = props.doc.experiment;
  return (
    <Card
      title="Recipe"
      actions={
        recipe.data !== null && (
          <>
            <CopyButton text={recipe.data.text} />
            <button
              type="button"
              class="button small"
              onClick={() =>
                recipe.data !== null &&
                download(fileName(e.name) + ".cfg", recipe.data.text, "text/plain;charset=utf-8")
              }
            >
              Save
            </button>
          </>
        )
      }
    >
      <div class="card-body facts-row">
        <Facts
          items={[
            ["Revision", integer(e.revision)],
            ["Submitted", fullTime(e.submitted_ms)],
            typeof e.git === "string" && e.git !== "" && ["Git", <code key="git">{e.git}</code>],
            typeof e.path === "string" && e.path !== "" && ["File", <code key="path">{e.path}</code>],
            props.doc.revisions.length > 1 && ["Revisions", integer(props.doc.revisions.length)],
          ]}
        />
      </div>
      <Answer of={recipe} height={300} lines={8}>
        {(r) => <RecipeText text={r.text} />}
      </Answer>
    </Card>
  );
}
