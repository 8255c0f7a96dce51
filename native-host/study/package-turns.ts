/** In which order the packages of a monorepo are absorbed, how they share the time, and how far all of them are together. */
import type { BudgetShare } from '../train/corpus-recipe.ts';
import type { AbsorbReport, AbsorbRequest } from './absorb.ts';
import { asksForConsolidation, tokensToLearn } from './consolidation.ts';
import type { ArrangedPart } from './folder-adapters.ts';
import { emptyLedger, readLedger, shareKnown, unlearnedPaths } from './ledger.ts';

/** A package, and where its adapter is with it. */
export interface PackageTurn extends ArrangedPart {
  /** Share of its tokens that the current version predicts right, and the documents that it has not learned. */
  known: number;
  dirty: number;
  /** About how many tokens are new. */
  unlearned: number;
  /** And how many an absorption has to learn, of everything where it is absorbed anew: what the time is shared by. */
  toLearn: number;
}

export async function turnOf(part: ArrangedPart, request: AbsorbRequest): Promise<PackageTurn> {
  const { adapter, current } = part;
  const { documents, tokens, tokenCount, tree } = part.repository;
  const ledger = (await readLedger(adapter.path, current?.note.ledger)) ?? emptyLedger();
  const isKnown = (await adapter.findVersion((note) => note.tree === tree && note.complete === true)) !== null;
  const unlearned = isKnown ? 0 : tokensToLearn(ledger, part.repository);
  const isDue = current !== null && asksForConsolidation(request, current.note);
  return {
    ...part,
    known: shareKnown(ledger, documents, (path) => tokens.get(path)!.length),
    dirty: unlearnedPaths(ledger, documents).length,
    unlearned,
    toLearn: unlearned + (isDue ? tokenCount : 0),
  };
}

/** An edit of what is learned takes seconds. */
function isRefresh({ current, unlearned, repository }: PackageTurn): boolean {
  return current !== null && current.note.whole !== false && unlearned > 0 && unlearned < repository.tokenCount;
}

/**
 * The most important first: what was learned in whole and edited since, what the user has at hand, what was changed lately,
 * and then by size.
 */
export function inOrder(
  turns: readonly PackageTurn[],
  first: readonly string[],
  recent: readonly string[],
): PackageTurn[] {
  const placed = turns.map((turn) => {
    const paths = turn.repository.documents.map(({ path }) => path);
    const known = new Set(paths);
    const atHand = first.findIndex((named) => known.has(named) || paths.some((path) => path.startsWith(`${named}/`)));
    const latest = recent.findIndex((path) => known.has(path));
    const place = (index: number) => (index < 0 ? Number.POSITIVE_INFINITY : index);
    return {
      turn,
      edited: isRefresh(turn) ? 0 : 1,
      atHand: place(atHand),
      latest: place(latest),
      tokens: turn.repository.tokenCount,
    };
  });
  placed.sort(
    (a, b) => a.edited - b.edited || compare(a.atHand, b.atHand) || compare(a.latest, b.latest) || b.tokens - a.tokens,
  );
  return placed.map(({ turn }) => turn);
}

/** Two that are infinite are equal. */
function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

const leastMinutes = 0.01;

/** What the next package has of the time that is left, by what it and those after it have to learn. */
export function shareOf(
  of: number,
  minutesSpent: number,
  next: PackageTurn,
  after: readonly PackageTurn[],
): BudgetShare {
  const toLearn = after.reduce((sum, turn) => sum + turn.toLearn, next.toLearn);
  const minutes = ((of - minutesSpent) * next.toLearn) / Math.max(1, toLearn);
  return { minutes: Math.max(leastMinutes, minutes), of };
}

/** Reports about one package after another, as reports about all of them. */
export class PackageProgress {
  private number = 0;
  private stepsBefore = 0;
  private stepOfThis = 0;
  private seenBefore = 0;
  private learnedBefore = 0;
  private readonly shares: Map<string, number>;

  constructor(
    private readonly turns: readonly PackageTurn[],
    private readonly onProgress: (report: AbsorbReport) => void,
    private readonly clock: () => number,
  ) {
    this.shares = new Map(turns.map((turn) => [turn.package, turn.known]));
  }

  /** The reporter of the package whose turn it is. */
  of(turn: PackageTurn): (report: AbsorbReport) => void {
    this.number += 1;
    const number = this.number;
    const started = this.clock();
    return (report) => {
      this.shares.set(turn.package, Math.max(turn.known, report.absorbed));
      this.stepOfThis = report.step ?? this.stepOfThis;
      this.onProgress({
        ...report,
        package: { folder: turn.package, number, of: this.turns.length },
        documents: this.sum(({ repository }) => repository.documents.length),
        tokens: this.sum(({ repository }) => repository.tokenCount),
        steps: this.stepsBefore + report.steps,
        ...(report.step === undefined ? {} : { step: this.stepsBefore + report.step }),
        documentsSeen: this.seenBefore + report.documentsSeen,
        absorbed: this.absorbed,
        ...this.timeOf(turn, report, (this.clock() - started) / 1000),
      });
    };
  }

  /** The package's turn has ended, and it knows so much. */
  ended(turn: PackageTurn, absorbed: number): void {
    this.shares.set(turn.package, absorbed);
    this.stepsBefore += this.stepOfThis;
    this.stepOfThis = 0;
    this.seenBefore += turn.repository.documents.length;
    this.learnedBefore += turn.toLearn;
  }

  /** Share of the tokens of all packages that are predicted right. */
  get absorbed(): number {
    const tokens = this.sum(({ repository }) => repository.tokenCount);
    return this.sum((turn) => this.shares.get(turn.package)! * turn.repository.tokenCount) / Math.max(1, tokens);
  }

  /** The packages that follow are taken to need as long for a token as this one. */
  private timeOf(turn: PackageTurn, { done, secondsLeft }: AbsorbReport, seconds: number): Partial<AbsorbReport> {
    if (done === undefined || secondsLeft === undefined) return {};
    const toLearn = Math.max(1, turn.toLearn);
    const all = this.sum((one) => one.toLearn);
    const after = Math.max(0, all - this.learnedBefore - turn.toLearn);
    return {
      done: Math.min(1, (this.learnedBefore + done * toLearn) / Math.max(1, all)),
      secondsLeft: secondsLeft + ((seconds + secondsLeft) * after) / toLearn,
    };
  }

  private sum(value: (turn: PackageTurn) => number): number {
    return this.turns.reduce((total, turn) => total + value(turn), 0);
  }
}
