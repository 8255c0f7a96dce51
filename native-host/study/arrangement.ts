/** Whether a monorepo has one adapter or one for each package, and which of them answers while that changes. */
import type { Arrangement } from '../store/arrangement.ts';
import type { AdapterVersion } from '../store/manifest.ts';
import { tokensOfUsualBudget } from '../train/corpus-recipe.ts';

export interface ArrangementWish {
  asked: Arrangement | 'auto';
  /** How the adapters that there are, are arranged; null where there are none. */
  before: Arrangement | null;
  packages: number;
  /** Of the whole repository. */
  tokens: number;
}

export interface ChosenArrangement {
  arrangement: Arrangement;
  /** A line for people; empty where there is nothing to choose. */
  reason: string;
}

/**
 * What is asked for wins, then what is there: with another arrangement everything would be trained from zero. Otherwise it
 * goes by size: up to the tokens that the usual minutes are for, one adapter costs nothing more, and knows what packages
 * have to do with each other. Beyond, it would need more time and room, and each edit would move what all packages share.
 */
export function chooseArrangement({ asked, before, packages, tokens }: ArrangementWish): ChosenArrangement {
  if (packages < 2) {
    return {
      arrangement: 'whole',
      reason: asked === 'each' ? 'One adapter: fewer than two packages are declared.' : '',
    };
  }
  const isLarge = tokens > tokensOfUsualBudget;
  const arrangement = asked !== 'auto' ? asked : (before ?? (isLarge ? 'each' : 'whole'));
  const what =
    arrangement === 'each' ? `An adapter for each of ${packages} packages` : `One adapter for all ${packages} packages`;
  const count = (value: number) => value.toLocaleString('en-US');
  const compared = `${count(tokens)} tokens are ${isLarge ? 'more' : 'no more'} than`;
  if (asked !== 'auto') {
    const changes = before !== null && before !== arrangement;
    return {
      arrangement,
      reason: `${what}, as asked for.${changes ? ' Until it is finished, what was there answers.' : ''}`,
    };
  }
  if (before !== null) return { arrangement, reason: `${what}, as before.` };
  return {
    arrangement,
    reason: `${what}: ${compared} the ${count(tokensOfUsualBudget)} that one learns in the usual time.`,
  };
}

/** Whose adapter answers for a package: its own, or that of everything; null where neither has a version. */
export type Holder = 'own' | 'whole' | null;

/**
 * The adapter that the arrangement asks for, once it has learned its text in whole; until then the one that was there before.
 * `own`, `whole`: current versions.
 */
export function holderOf(arrangement: Arrangement, own: AdapterVersion | null, whole: AdapterVersion | null): Holder {
  const isFinished = (version: AdapterVersion | null) => version !== null && version.note.whole !== false;
  if (arrangement === 'each') {
    if (isFinished(own) || whole === null) return own === null ? null : 'own';
    return 'whole';
  }
  if (isFinished(whole) || own === null) return whole === null ? null : 'whole';
  return 'own';
}
