/** Self-study: what the base wrote about the passages of a corpus as lessons, and the writing of what is missing. */
import type { Document } from '../../corpus/documents.ts';
import { segmentsOf } from '../../corpus/segments.ts';
import { Decoder } from '../../generate/decode.ts';
import type { BaseModel } from '../../model/open-model.ts';
import type { Tokenizer } from '../../model/tokenizer.ts';
import type { Device } from '../../runtime/device.ts';
import { encodeConversation } from '../../train/items.ts';
import type { Lesson, ShownTexts } from '../../train/material.ts';
import type { TrainingItem } from '../../train/packing.ts';
import type { StudyCache } from './cache.ts';
import { questionKey } from './filter.ts';
import type { StudyPassage } from './requests.ts';
import { type StudyItem, writeAbout } from './write.ts';

export interface StudyForm {
  /** Whether what the base found likely is learned, or the tokens that it wrote alone. */
  distills: boolean;
  /** What a token of an answer counts. */
  weight: number;
  rowLength: number;
  /** What a student is shown beside a question; nothing without it. */
  shown?: ShownTexts | undefined;
}

/** Passages that do not overlap, of so many tokens, in the order of the documents. */
export function passagesOf(
  documents: readonly Document[],
  tokens: ReadonlyMap<string, Uint32Array>,
  tokenizer: Tokenizer,
  length: number,
): StudyPassage[] {
  return documents.flatMap((document) => {
    const ofDocument = tokens.get(document.path)!;
    return segmentsOf(document, ofDocument, length, length).map(({ path, hash, start, tokens: part }) => {
      const isLast = start + part.length >= ofDocument.length;
      return { path, hash, text: wholeLines(tokenizer.decode(Array.from(part)), start === 0, isLast) };
    });
  });
}

/** Without the line that began before it, and the one that goes on after it. */
function wholeLines(text: string, isFirst: boolean, isLast: boolean): string {
  const lines = text.split('\n');
  const whole = lines.slice(isFirst ? 0 : 1, isLast ? undefined : -1);
  return whole.some((line) => line.trim() !== '') ? whole.join('\n') : text;
}

export class SelfStudy {
  /** Of what is written; grows while more is. */
  readonly lessons: Lesson[] = [];
  private readonly known = new Set<string>();
  private readonly pending: { passage: StudyPassage; number: number }[] = [];
  private decoder: Decoder | null = null;

  private constructor(
    private readonly device: Device,
    private readonly model: BaseModel,
    private readonly cache: StudyCache,
    private readonly form: StudyForm,
  ) {}

  /** With what the cache holds; nothing is written yet. */
  static async open(
    device: Device,
    model: BaseModel,
    passages: readonly StudyPassage[],
    cache: StudyCache,
    form: StudyForm,
  ): Promise<SelfStudy> {
    const study = new SelfStudy(device, model, cache, form);
    for (const [number, passage] of passages.entries()) {
      const items = await cache.read(passage.hash);
      if (items === null) study.pending.push({ passage, number });
      else study.add(items, passage);
    }
    return study;
  }

  get isWritten(): boolean {
    return this.pending.length === 0;
  }

  /** Writes about the next passage, and keeps it. Errors: the signal's reason where it aborts; the passage stays pending. */
  async writeNext(signal: AbortSignal): Promise<void> {
    const [next] = this.pending;
    if (next === undefined) return;
    this.decoder ??= await Decoder.open(this.device, this.model, null);
    const { passage, number } = next;
    const { items } = await writeAbout(this.decoder, this.model, passage, number, this.known, signal);
    await this.cache.write(passage.hash, items);
    this.pending.shift();
    this.add(items, passage);
    if (this.isWritten) await this.close();
  }

  async close(): Promise<void> {
    const { decoder } = this;
    this.decoder = null;
    await decoder?.close();
  }

  private add(items: readonly StudyItem[], { path, hash }: StudyPassage): void {
    for (const item of items) {
      this.known.add(questionKey(item.question));
      const { question } = item;
      const asLesson = (choice: number) => this.itemOf(item, path, choice);
      if (asLesson(0) === null) continue;
      const lesson = { kind: 'selfStudy', hash, path, key: question, start: 0, size: 0 } as const;
      this.lessons.push({ ...lesson, item: (choice) => (asLesson(choice) ?? asLesson(0))! });
    }
  }

  /** Null where it does not fit a row. */
  private itemOf({ question, answer, teacher }: StudyItem, path: string, choice: number): TrainingItem | null {
    const { model, form } = this;
    const said = model.tokenizer.decode(answer.slice(0, -1));
    const messages = form.shown?.(question, said, path, choice) ?? [{ role: 'user' as const, content: question }];
    const prompt = encodeConversation(model, messages, true);
    if (prompt.length + answer.length > form.rowLength) return null;
    const tokens = [...prompt, ...answer];
    const weights = tokens.map((_, i) => (i < prompt.length ? 0 : form.weight));
    return form.distills ? { tokens, weights, teacher } : { tokens, weights };
  }
}
