/** The GGUF files of a repository on a hub: which could be read here, by their names, and which of them is to be taken. */
import { HubError } from './hub-error.ts';
import type { HubFile } from './hub-plan.ts';

export interface GgufOffer extends HubFile {
  /** Of most of its weights, as its name says, such as `Q4_K`; null where the name says nothing. */
  format: string | null;
}

export interface GgufOffers {
  /** The most exact first. */
  readable: GgufOffer[];
  /** Why each of the others is not read. */
  unread: { name: string; reason: string }[];
}

export interface GgufWish {
  /** The one that the user named. */
  file?: string;
  /** Whether the machine has the memory for so many weights as they are; otherwise they will lie in codes. */
  holdsExactly?(parameters: number): boolean;
}

/** Formats that are read, with the bits that a weight takes. The most exact first; F32 holds what was released as halves. */
const bitsOf: Readonly<Record<string, number>> = {
  BF16: 16,
  F16: 16,
  F32: 32,
  Q8_0: 8.5,
  Q6_K: 6.6,
  Q5_K: 5.7,
  Q5_1: 6,
  Q5_0: 5.5,
  Q4_K: 4.8,
  Q4_1: 5,
  Q4_0: 4.5,
};
const mostExactFirst: readonly string[] = Object.keys(bitsOf);

/** At a name's end, perhaps with the size of a mixture (`_M`), or numbers for the processors that an order of codes is made for. */
const formatPattern =
  /(?:^|[-._])(I?Q\d_(?:K|\d|NL|XXS|XS|S|M)|TQ\d_\d|MXFP4|BF16|FP?16|FP?32)((?:_\d_\d)|(?:_(?:XXS|XS|S|M|L|XL|MOE)))?\.gguf$/i;
/** Mixtures of formats that the name does not tell. */
const mixedPattern = /[-._]UD[-._]/i;
/** Belongs to a model, and is none. */
const partPattern = /^mmproj|imatrix/i;
const splitPattern = /-\d{5}-of-\d{5}\.gguf$/i;

export function ggufOffers(files: readonly HubFile[]): GgufOffers {
  const offers: GgufOffers = { readable: [], unread: [] };
  for (const file of files) {
    const { name } = file;
    if (!isGgufName(name) || partPattern.test(name)) continue;
    const [, stated = '', suffix = ''] = formatPattern.exec(name) ?? [];
    const format = stated.toUpperCase().replace(/^FP/, 'F');
    if (splitPattern.test(name)) offers.unread.push({ name, reason: 'a part of a model in several files' });
    else if (/\d$/.test(suffix) || (format !== '' && bitsOf[format] === undefined)) {
      offers.unread.push({ name, reason: `its format ${format}${suffix} is not read` });
    } else offers.readable.push({ ...file, format: format === '' ? null : format });
  }
  offers.readable.sort((a, b) => rank(a) - rank(b) || b.size - a.size);
  return offers;
}

/** A file at the top of a repository: its name becomes a part of a path. */
export function isGgufName(name: string): boolean {
  return /^\w[\w.+-]*\.gguf$/i.test(name) && !name.includes('..');
}

function rank({ name, format }: GgufOffer): number {
  const place = format === null ? mostExactFirst.length : mostExactFirst.indexOf(format);
  return mixedPattern.test(name) ? 2 * mostExactFirst.length + place : place;
}

/**
 * The file to take of model `id`, and why. A model that fits the memory only in codes of 8 bits or fewer gains nothing from
 * more than Q8_0, whose codes are of the same kind. Errors: HubError where the named file, or any, is not there or not read.
 */
export function chooseGguf(
  id: string,
  { readable, unread }: GgufOffers,
  { file, holdsExactly = () => true }: GgufWish,
): { offer: GgufOffer; reason: string } {
  if (file !== undefined) {
    const offer = readable.find(({ name }) => name === file);
    if (offer !== undefined) return { offer, reason: 'as asked for' };
    const refused = unread.find(({ name }) => name === file);
    throw refused === undefined
      ? new HubError(`${id} has no file ${file} of GGUF. ${advice(readable)}`)
      : new HubError(`${file} of ${id} is not read: ${refused.reason}. ${advice(readable)}`);
  }
  const [best] = readable;
  if (best === undefined) {
    const reasons = unread.map(({ name, reason }) => `${name}: ${reason}`).join('; ');
    throw new HubError(`${id} has no GGUF file that is read here (${reasons}). ${advice(readable)}`);
  }
  if (readable.length === 1) return { offer: best, reason: 'the only one that is read' };
  if (holdsExactly(parametersOf(best))) {
    return { offer: best, reason: 'the most exact one, which the memory of this machine can hold as it is' };
  }
  const coded = readable.find(({ format }) => format === 'Q8_0') ?? best;
  const held = 'the memory of this machine can hold the model only in codes of 8 bits or fewer';
  return {
    offer: coded,
    reason: coded === best ? `the most exact one; ${held}` : `${held}, for which it is exact enough`,
  };
}

/** From its size, within some per cent. */
function parametersOf({ format, size }: GgufOffer): number {
  return (8 * size) / bitsOf[format ?? 'Q8_0']!;
}

function advice(readable: readonly GgufOffer[]): string {
  if (readable.length === 0) return `Choose another repository of this model; ${mostExactFirst.join(', ')} are read.`;
  return `Choose one of ${readable.map(({ name }) => name).join(', ')}.`;
}
