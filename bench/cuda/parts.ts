/** The parts of gpu:check, each a table or a verdict. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { embeddedModelFolder } from '../../native-host/locations.ts';
import { openBaseModel } from '../../native-host/model/open-model.ts';
import type { CudaDevice } from '../../native-host/runtime/cuda/cuda-device.ts';
import { openOnnxDevice } from '../../native-host/runtime/onnx/onnx-device.ts';
import type { BatchShape } from '../../native-host/train/program.ts';
import { compareOps } from './correctness.ts';
import { curveDifference, lossCurve, sourceBatches } from './loss-curve.ts';
import { modelShapes, randomModel } from './models.ts';
import type { ProductSizes } from './products.ts';
import { attentionRates, attentionShapes, productRates, productShapes } from './products.ts';
import type { Python } from './python.ts';
import { gigabytes, milliseconds, percent, type Report, teraflops, times } from './report.ts';
import {
  absorption,
  answersBesideTraining,
  decoding,
  loraRank,
  readingInContext,
  type StepResult,
  type TokenCounts,
  trainingStep,
} from './training.ts';

export interface Surroundings {
  report: Report;
  python: Python;
  /** For random weights. */
  folder: string;
  shapes: readonly string[];
  sizes: Sizes;
  openCard: () => CudaDevice;
  /** A file beside the bundle. */
  inDist: (file: string) => URL;
}

type Part = (around: Surroundings) => Promise<void>;

/** How large the problems are. */
export interface Sizes {
  stepShape: BatchShape;
  steps: number;
  curveSteps: number;
  products: ProductSizes;
  /** Operations of an op's case at the most. */
  opFlops: number;
  newTokens: number;
  questions: number;
  absorbShape: BatchShape;
  /** Segment length and stride, and how many times 8,192 tokens are absorbed. */
  segmentLength: number;
  copies: readonly number[];
}

export const fullSizes: Sizes = {
  ...{ stepShape: { rows: 8, length: 1024 }, steps: 8, curveSteps: 200, opFlops: Number.POSITIVE_INFINITY },
  products: { rows: 8192, attention: [8, 1024, 4, 2048], copies: 4, runs: 12 },
  ...{ newTokens: 128, questions: 12, absorbShape: { rows: 4, length: 2048 }, segmentLength: 2048, copies: [1, 4, 16] },
};

/** For trying the command itself on the emulated card. */
export const toySizes: Sizes = {
  ...{ stepShape: { rows: 2, length: 32 }, steps: 2, curveSteps: 3, opFlops: 5e6 },
  products: { rows: 64, attention: [2, 32, 1, 48], copies: 1, runs: 2 },
  ...{ newTokens: 4, questions: 2, absorbShape: { rows: 2, length: 128 }, segmentLength: 64, copies: [0.02, 0.04] },
};

async function withCard(around: Surroundings, work: (card: CudaDevice) => Promise<void>): Promise<void> {
  const card = around.openCard();
  try {
    await card.opened;
    await work(card);
  } finally {
    await card.close();
  }
}

const ops: Part = async (around) => {
  const cpu = openOnnxDevice('cpu', around.inDist('./worker.js'));
  const compared = await compareOps(around.openCard, cpu, around.sizes.opFlops);
  await cpu.close();
  const rows = compared.map(({ name, error, allowed }) => [name, percent(error), percent(allowed)]);
  around.report.table('Ops against float32 on the processor', ['op', 'off by', 'allowed'], rows);
  const wrong = compared.filter(({ error, allowed }) => !(error <= allowed));
  const named = wrong.map(({ name, failure }) => `; not: ${name}${failure === undefined ? '' : ` (${failure})`}`);
  around.report.check(`ops are within bfloat16's error${named.join('')}`, wrong.length === 0);
};

const loss: Part = (around) =>
  withCard(around, async (card) => {
    const { report, inDist, folder } = around;
    const { curveSteps } = around.sizes;
    const model = await openBaseModel(embeddedModelFolder(), { folder, form: 'F32' });
    const batches = sourceBatches(model, fileURLToPath(inDist('../native-host')));
    const cpu = openOnnxDevice('cpu', inDist('./worker.js'));
    const wanted = await lossCurve(cpu, model, batches, curveSteps);
    await cpu.close();
    const got = await lossCurve(card, model, batches, curveSteps);
    const at = [0, 9, 49, 99, 149, 199].filter((step) => step < curveSteps);
    report.table(
      'Loss of the embedded model over 200 steps of 4 × 256 tokens',
      ['step', 'card', 'processor'],
      at.map((step) => [String(step + 1), got.losses[step]!.toFixed(4), wanted.losses[step]!.toFixed(4)]),
    );
    const { mean, most } = curveDifference(got.losses, wanted.losses);
    report.check(
      `the losses differ by ${percent(mean)} on average and ${percent(most)} at most (allowed: 1 %)`,
      most <= 0.01,
    );
    const [first, second] = [await lossCurve(card, model, batches, 20), await lossCurve(card, model, batches, 20)];
    const same = Buffer.from(first.vector.buffer).equals(Buffer.from(second.vector.buffer));
    report.check('20 steps give the same adapter twice, bit for bit', same);
  });

const products: Part = (around) =>
  withCard(around, async (card) => {
    const { report, python, shapes } = around;
    for (const model of shapes) {
      const ours = await productRates(card, model, around.sizes.products);
      const problem = {
        shapes: productShapes(model, around.sizes.products.rows).map(({ rows, inner, columns }) => [
          rows,
          inner,
          columns,
        ]),
      };
      const theirs = await python.ask<{ seconds: [number, number][] }>('products', problem);
      const rows = ours.map(({ name, rate, seconds }, i) => {
        const other = theirs?.seconds[Math.floor(i / 2)]?.[i % 2];
        return [name, teraflops(rate), ...compared(seconds, other, rate)];
      });
      report.table(`Products at ${model}, TFLOP/s`, ['product', 'here', 'PyTorch', 'share'], rows);
      if (theirs === null) continue;
      const shares = ours.map(({ seconds }, i) => theirs.seconds[Math.floor(i / 2)]![i % 2]! / seconds);
      const least = Math.min(...shares);
      report.wish(`products ≥ 70 % of the library's rate at ${model}: the least is ${percent(least)}`, least >= 0.7);
    }
  });

const attention: Part = (around) =>
  withCard(around, async (card) => {
    const { report, python, shapes } = around;
    for (const model of shapes) {
      const ours = await attentionRates(card, model, around.sizes.products);
      const theirs = await python.ask<{ seconds: [number, number][] }>('attention', {
        shapes: attentionShapes(model, around.sizes.products),
      });
      const matrixRate = Math.max(...(await productRates(card, model, around.sizes.products)).map(({ rate }) => rate));
      const rows = ours.map(({ name, rate, seconds }, i) => {
        const other = theirs?.seconds[Math.floor(i / 2)]?.[i % 2];
        return [name, teraflops(rate), percent(rate / matrixRate), ...compared(seconds, other, rate)];
      });
      report.table(
        `Attention at ${model}, TFLOP/s of the pairs that are seen`,
        ['attention', 'here', 'of the matrix rate', 'PyTorch', 'share'],
        rows,
      );
      const least = Math.min(...ours.map(({ rate }) => rate / matrixRate));
      report.wish(`attention ≥ 50 % of the matrix rate at ${model}: the least is ${percent(least)}`, least >= 0.5);
    }
  });

const step: Part = async (around) => {
  const { report, python, shapes, folder, sizes } = around;
  const { stepShape, steps } = sizes;
  for (const name of shapes) {
    const model = await randomModel(name, folder);
    const rows: string[][] = [];
    const ours: StepResult[] = [];
    let matrixRate = 0;
    for (const recompute of [false, true]) {
      await withCard(around, async (card) => {
        matrixRate ||= Math.max(...(await productRates(card, name, around.sizes.products)).map(({ rate }) => rate));
        const result = await trainingStep(card, model, stepShape, { steps, recompute });
        ours.push(result);
        report.check(
          `the loss of a step at ${name} is a number: ${result.loss.toFixed(3)}`,
          Number.isFinite(result.loss),
        );
      });
    }
    const [kept, again] = ours as [StepResult, StepResult];
    const row = (label: string, seconds: number, bytes: number) => {
      rows.push([
        ...[label, milliseconds(seconds), (kept.tokens / seconds).toFixed(0)],
        ...[percent(kept.flops / seconds / matrixRate), gigabytes(bytes)],
      ]);
    };
    row('here', kept.seconds, kept.bytes);
    row('here, recomputing', again.seconds, again.bytes);
    const problem = { config: modelShapes[name], ...stepShape, rank: loraRank };
    const theirs: ({ seconds: number; bytes: number; versions: string } | null)[] = [];
    for (const recompute of [false, true]) {
      const result = await python.ask<NonNullable<(typeof theirs)[number]>>('step', { ...problem, recompute });
      theirs.push(result);
      if (result !== null)
        row(`PEFT (${result.versions})${recompute ? ', recomputing' : ''}`, result.seconds, result.bytes);
    }
    report.table(
      `A LoRA step (r${loraRank}, 8 × 1024 tokens) at ${name}; by the clock on the wall ${milliseconds(kept.wallSeconds)}`,
      ['', 'step', 'tokens/s', 'of the matrix rate', 'memory'],
      rows,
    );
    const share = kept.flops / kept.seconds / matrixRate;
    report.wish(`a step ≥ 45 % of the matrix rate at ${name}: ${percent(share)}`, share >= 0.45);
    const wanted = name === '8b' ? 1 : 1.5;
    theirs.forEach((other, i) => {
      if (other === null) return;
      const ratio = other.seconds / ours[i]!.seconds;
      const how = i === 0 ? '' : ', both recomputing';
      report.wish(`tokens/s ≥ ${wanted} × PEFT at ${name}${how}: ${times(ratio)}`, ratio >= wanted);
    });
    if (theirs[0]) {
      const ratio = again.bytes / theirs[0].bytes;
      report.wish(`memory when recomputing ≤ 0.7 × PEFT's at ${name}: ${times(ratio)}`, ratio <= 0.7);
    }
  }
};

const decode: Part = async (around) => {
  const { report, python, shapes, folder } = around;
  const copy = await python.ask<{ bytesPerSecond: number }>('copy', { bytes: 2 ** 32 });
  const rows: string[][] = [];
  for (const name of shapes) {
    const model = await randomModel(name, folder);
    await withCard(around, async (card) => {
      const { tokensPerSecond, deviceTokensPerSecond, weightBytes } = await decoding(
        card,
        model,
        around.sizes.newTokens,
      );
      const share = copy === null ? null : (tokensPerSecond * weightBytes) / copy.bytesPerSecond;
      const onCard = copy === null ? null : (deviceTokensPerSecond * weightBytes) / copy.bytesPerSecond;
      const text = (value: number | null) => (value === null ? '–' : percent(value));
      rows.push([name, tokensPerSecond.toFixed(1), text(share), deviceTokensPerSecond.toFixed(1), text(onCard)]);
      if (share !== null)
        report.wish(`decoding ≥ 70 % of memory bandwidth at ${name}: ${percent(share)}`, share >= 0.7);
    });
  }
  report.table(
    'Decoding with LoRA r16, tokens/s, and weights read as a share of memory bandwidth',
    ['shape', 'on the wall', 'share', 'on the card', 'share'],
    rows,
  );
};

const answers: Part = async (around) => {
  const name = around.shapes.at(-1)!;
  const model = await randomModel(name, around.folder);
  await withCard(around, async (card) => {
    const { firstTokenMs, steps } = await answersBesideTraining(
      card,
      model,
      around.sizes.stepShape,
      around.sizes.questions,
    );
    const sorted = [...firstTokenMs].sort((left, right) => left - right);
    const [median, most] = [sorted[sorted.length >> 1]!, sorted.at(-1)!];
    around.report.say(
      `First token of an answer at ${name} while training goes on (${steps} batches meanwhile): median ${median.toFixed(0)} ms, at most ${most.toFixed(0)} ms.`,
    );
    around.report.wish('an answer starts within 200 ms', most <= 200);
  });
};

const absorb: Part = async (around) => {
  const { report, shapes, folder, inDist } = around;
  const { absorbShape, copies: sizes, segmentLength, stepShape } = around.sizes;
  const name = shapes.at(-1)!;
  const model = await randomModel(name, folder);
  const counts = tokenCounts(inDist('../test/fixtures/absorption/token-counts.json'), segmentLength);
  const rows: string[][] = [];
  const seconds: number[] = [];
  for (const copies of sizes) {
    const label = `${8 * copies}k`;
    await withCard(around, async (card) => {
      const took = await absorption(card, model, repeated(counts, copies), absorbShape);
      const reading = await readingInContext(card, model, Math.round(8192 * copies));
      seconds.push(took.seconds);
      const trained = [took.trainedTokens.toLocaleString('en-US'), String(took.steps)];
      const time = [took.seconds.toFixed(2), took.firstTokenSeconds.toFixed(2)];
      rows.push([
        label,
        ...trained,
        ...time,
        gigabytes(took.bytes),
        reading.seconds.toFixed(2),
        gigabytes(reading.bytes),
      ]);
    });
  }
  report.table(
    `Absorbing by ${name}: segments of 2048 at a stride of 768, one question a sentence, one epoch`,
    [
      'text',
      'trained tokens',
      'steps',
      's to the first token',
      's of it after training',
      'memory',
      'reading in context, s',
      'its memory',
    ],
    rows,
  );
  if (name === '8b') {
    report.wish(`8k tokens in ≤ 5 s: ${seconds[0]!.toFixed(2)} s`, seconds[0]! <= 5);
    report.wish(`128k tokens in ≤ 75 s: ${seconds[2]!.toFixed(2)} s`, seconds[2]! <= 75);
    const growth = seconds[2]! / seconds[1]! / 4;
    report.wish(`growth is linear within 10 %: 128k takes ${times(growth * 4)} of 32k's`, Math.abs(growth - 1) <= 0.1);
  }
  const small = shapes.includes('1.5b') ? '1.5b' : shapes[0]!;
  const smallModel = await randomModel(small, folder);
  await withCard(around, async (card) => {
    // 2k tokens of an edited file and twice as many replayed, in rows of 1024.
    const { length } = stepShape;
    const segments = Array.from({ length: 6 }, () => length - 24);
    const took = await absorption(card, smallModel, { segments, questions: [] }, { rows: 6, length });
    report.say(
      `Refresh after an edit of 2k tokens (4k replayed) by ${small}: ${took.seconds.toFixed(2)} s to the first token.`,
    );
    report.wish('a refresh takes ≤ 1 s', took.seconds <= 1);
  });
};

export const gpuCheckParts = { ops, loss, products, attention, step, decode, answers, absorb } satisfies Record<
  string,
  Part
>;
export type PartName = keyof typeof gpuCheckParts;

/** PyTorch's rate for the same work, and ours as a share of it. */
function compared(seconds: number, theirs: number | undefined, rate: number): string[] {
  return theirs === undefined ? ['–', '–'] : [teraflops((rate * seconds) / theirs), percent(theirs / seconds)];
}

/** What frames a segment (its path) and a question (the chat's form and its wording). */
const framing = { segment: 24, question: 40 };

/** Segments at three eighths of their length; one question a sentence, whose answer is half as long as the sentence. */
function tokenCounts(file: URL, segmentLength: number): TokenCounts {
  const stride = (3 * segmentLength) / 8;
  const { sentences } = JSON.parse(readFileSync(file, 'utf8')) as { sentences: number[] };
  const total = sentences.reduce((sum, count) => sum + count, 0);
  const segments: number[] = [];
  for (let start = 0; start === 0 || start + segmentLength - stride < total; start += stride) {
    segments.push(Math.min(segmentLength - framing.segment, total - start) + framing.segment);
  }
  const questions = sentences.map((count) => {
    const answer = Math.ceil(count / 2);
    return { tokens: framing.question + answer, answer };
  });
  return { segments, questions };
}

function repeated({ segments, questions }: TokenCounts, copies: number): TokenCounts {
  const some = <Item>(items: readonly Item[]) =>
    Array.from({ length: Math.ceil(items.length * copies) }, (_, i) => items[i % items.length]!);
  return { segments: some(segments), questions: some(questions) };
}
