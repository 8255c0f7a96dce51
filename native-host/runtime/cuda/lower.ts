/** From a graph to a plan: a table from op to the launches that it becomes. */
import type { Node } from '../../graph/value.ts';
import { attentionLowerings } from './lower-attention.ts';
import { lossLowerings } from './lower-loss.ts';
import { mathLowerings } from './lower-math.ts';
import { sumLowerings } from './lower-sum.ts';
import { type Lowering, LoweringContext, type LoweringOptions } from './lowering-context.ts';
import type { Plan } from './plan.ts';
import type { ConcreteProgram } from './portable-graph.ts';

const lowerings: Record<string, Lowering> = {
  ...mathLowerings,
  ...sumLowerings,
  ...attentionLowerings,
  ...lossLowerings,
};

/** Errors: Error naming an op that this backend lacks. */
export function lowerProgram(program: ConcreteProgram, options: LoweringOptions): Plan {
  const context = new LoweringContext(program, options);
  for (const node of program.nodes) {
    if (context.isDone(node)) continue;
    loweringOf(node)(context, node);
  }
  return context.finish();
}

function loweringOf({ op }: Node): Lowering {
  const lowering = lowerings[op.name];
  if (lowering === undefined) throw new Error(`the cuda backend has no op '${op.name}'`);
  return lowering;
}
