import { after } from './ops/order.ts';
import { apply, type Node, type Value } from './value.ts';

/**
 * Forward nodes for gradients to read from, computed a second time so that their values need not be kept since the
 * first. `kept` are values in the order in which they are computed, such as the inputs of a decoder's layers; the nodes
 * that depend on a kept value and not on the next are a section. What depends on none of them, or on the last of them,
 * is not computed again. Source: Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016.
 */
export class Recomputation {
  private readonly sections = new Map<Node, number>();
  private readonly copies = new Map<Node, Node>();
  /** The section that gradients are in. */
  private current: number;
  /** Cotangents that have left it: when these are there, it is done. */
  private leaving: Value[] = [];

  /** `order`: the forward nodes, each after its inputs. */
  constructor(
    private readonly order: readonly Node[],
    private readonly kept: readonly Value[],
  ) {
    this.current = kept.length;
    const keptIndex = new Map(kept.map((value, i) => [value, i]));
    for (const node of order) {
      const ofInputs = node.inputs.map((input) => keptIndex.get(input) ?? this.sectionOf(input.node));
      this.sections.set(node, Math.max(-1, ...ofInputs));
    }
  }

  /** The node to read forward values from, when gradients have come to `node`. They come to later sections first. */
  read(node: Node): Node {
    const section = this.sectionOf(node);
    if (section >= 0 && section < this.current) {
      if (section < this.kept.length - 1) this.copySection(section);
      this.current = section;
      this.leaving = [];
    }
    return this.copies.get(node) ?? node;
  }

  /** To be told of each cotangent that a value receives. */
  reached(value: Value, cotangent: Value): void {
    if (this.sectionOf(value.node) < this.current) this.leaving.push(cotangent);
  }

  /** Index of the kept value that the node's section starts from, −1 before the first. */
  private sectionOf(node: Node): number {
    return this.sections.get(node) ?? -1;
  }

  /** Not before gradients are done with the section behind it, or else all sections would be in memory at once. */
  private copySection(section: number): void {
    const start = this.kept[section]!;
    const again = after(start, this.leaving);
    for (const node of this.order) {
      if (this.sectionOf(node) !== section) continue;
      const inputs = node.inputs.map((input) =>
        input === start ? again : (this.copies.get(input.node)?.outputs[input.index] ?? input),
      );
      this.copies.set(node, apply(node.op, inputs, node.attributes)[0]!.node);
    }
  }
}
