// How the question of a fact is put: the same fact in many wordings, some of which only ever measure.
import type { Fact } from './fact.ts';
import { changeTemplates } from './wordings-changes.ts';
import { crossFileTemplates } from './wordings-cross-file.ts';
import { identifierTemplates } from './wordings-identifiers.ts';
import { proseTemplates } from './wordings-prose.ts';
import { structureTemplates } from './wordings-structure.ts';

/** Question texts with {slots}. The held-back ones use other verbs and another order than the trained ones. */
export interface Templates {
  trained: string[];
  heldBack: string[];
}

export interface Wording {
  /** The same for the same template of a kind, always: trained ones first. */
  index: number;
  /** Never used to train a repository's adapter, only to probe it. */
  heldBack: boolean;
  /** With {slots}. */
  template: string;
  text: string;
}

const templates: Record<string, Templates> = {
  ...identifierTemplates,
  ...structureTemplates,
  ...crossFileTemplates,
  ...proseTemplates,
  ...Object.fromEntries(Object.entries(changeTemplates).map(([kind, trained]) => [kind, { trained, heldBack: [] }])),
};

const slotPattern = /\{(\w+)\}/g;

/** Of each kind. */
const slotNames: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries(templates).map(([kind, { trained }]) => {
    const slots = trained.flatMap((template) => [...template.matchAll(slotPattern)].map(([, slot]) => slot!));
    return [kind, new Set(slots)];
  }),
);

/** Every kind of fact that can be asked. */
export const factKinds: readonly string[] = Object.keys(templates);

/**
 * What the slots of a kind of fact hold, told by its subject, which is the one slot's text or "x in <path>". Null where that does not tell it,
 * or where there is no such kind.
 */
export function slotsFor(kind: string, subject: string): Record<string, string> | null {
  const named = slotNames.get(kind) ?? new Set<string>();
  const [slot, ...others] = [...named].filter((name) => name !== 'path' || named.size === 1);
  if (slot === undefined || others.length > 0) return null;
  if (named.size === 1) return { [slot]: subject };
  const [, name, path] = /^(.+) in (\S.*)$/.exec(subject) ?? [];
  return name === undefined || path === undefined ? null : { [slot]: name, path };
}

/** All wordings of the question that a fact answers. Throws when the fact's kind has none. */
export function wordingsOf(fact: Pick<Fact, 'kind' | 'slots'>): Wording[] {
  const kind = templates[fact.kind];
  if (!kind) throw new Error(`There are no wordings for facts of the kind "${fact.kind}".`);
  return [...kind.trained, ...kind.heldBack].map((template, index) => ({
    index,
    heldBack: index >= kind.trained.length,
    template,
    text: filledIn(template, fact),
  }));
}

/** Throws where the fact lacks a slot of the template. */
export function filledIn(template: string, { kind, slots }: Pick<Fact, 'kind' | 'slots'>): string {
  return template.replace(slotPattern, (_, slot: string) => {
    const value = slots[slot];
    if (value === undefined) throw new Error(`A fact of the kind "${kind}" lacks the slot "${slot}".`);
    return value;
  });
}
