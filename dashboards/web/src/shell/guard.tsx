// SPDX-License-Identifier: Apache-2.0
import { Component, ComponentChildren } from "preact";
import { ErrorNote } from "../components/basics";

/** A view that breaks leaves the frame standing. */
export class Guard extends Component<{ children: ComponentChildren }, { error: Error | null }> {
  override state = { error: null as Error | null };

  static override getDerivedStateFromError(error: Error): { error: Error } {
    return { error };
  }

  override render(): ComponentChildren {
    if (this.state.error === null) return this.props.children;
    return (
      <ErrorNote
        error={{ message: "This view broke: " + this.state.error.message }}
        retry={() => this.setState({ error: null })}
      />
    );
  }
}
