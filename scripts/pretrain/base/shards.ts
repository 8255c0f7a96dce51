// The files that train_base.py reads. All numbers are little-endian. pieces.bin: token ids (uint16), one piece of text after
// the other; pieces.idx: where each begins, and where the last ends (uint32). facts.bin and documents.bin: rows of int32, by
// the columns below. meta.json: what stands around a question and an answer, and the names of packages and kinds.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Pieces are named by number, -1 for none; a fact's wordings are `wordings` pieces from `firstWording` on. */
export interface FactRow {
  package: number;
  validation: number;
  /** Row of the document in documents.bin. */
  document: number;
  kind: number;
  /** Lines of the document that show the answer, as the product renders them. */
  passage: number;
  /** The whole document, where it is small. */
  file: number;
  answer: number;
  firstWording: number;
  wordings: number;
  /** 1 where the question names what it is about, so that it can be asked without a text. */
  memory: number;
}

/** Tokens of a document in tokens.bin: it starts with `header` tokens that name it. */
export interface DocumentRow {
  start: number;
  header: number;
  package: number;
  validation: number;
}

export interface ItemMeta {
  vocabulary: number;
  /** Tokens before a question, without and with the product's instructions, between it and its answer, and after that. */
  before: number[];
  instructed: number[];
  between: number[];
  after: number[];
  /** What is answered where the texts in context do not say. */
  refusal: number[];
  kinds: string[];
  packages: string[];
}

export class Pieces {
  readonly #tokens: number[][] = [];
  readonly #known = new Map<string, number>();

  constructor(private readonly encode: (text: string) => number[]) {}

  /** The piece of a text; the same text always is the same piece. */
  add(text: string): number {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    this.#known.set(text, this.#tokens.length);
    return this.append(text);
  }

  /** A piece of its own, so that pieces that are added one after the other have numbers in a row. */
  append(text: string): number {
    this.#tokens.push(this.encode(text));
    return this.#tokens.length - 1;
  }

  /** Tokens of a piece. */
  length(piece: number): number {
    return this.#tokens[piece]!.length;
  }

  async write(folder: string): Promise<number> {
    const offsets = new Uint32Array(this.#tokens.length + 1);
    this.#tokens.forEach(({ length }, i) => {
      offsets[i + 1] = offsets[i]! + length;
    });
    const all = new Uint16Array(offsets.at(-1)!);
    this.#tokens.forEach((tokens, i) => {
      all.set(tokens, offsets[i]!);
    });
    await writeFile(join(folder, 'pieces.bin'), all);
    await writeFile(join(folder, 'pieces.idx'), offsets);
    return all.length;
  }
}

export async function writeShards(
  folder: string,
  meta: ItemMeta,
  pieces: Pieces,
  facts: readonly FactRow[],
  documents: readonly DocumentRow[],
): Promise<number> {
  await mkdir(folder, { recursive: true });
  const factRows = facts.map((fact) => [
    ...[fact.package, fact.validation, fact.document, fact.kind, fact.passage],
    ...[fact.file, fact.answer, fact.firstWording, fact.wordings, fact.memory],
  ]);
  const documentRows = documents.map((document) => [
    ...[document.start, document.header, document.package, document.validation],
  ]);
  await writeFile(join(folder, 'facts.bin'), Int32Array.from(factRows.flat()));
  await writeFile(join(folder, 'documents.bin'), Int32Array.from(documentRows.flat()));
  await writeFile(join(folder, 'meta.json'), `${JSON.stringify(meta)}\n`);
  return pieces.write(folder);
}
