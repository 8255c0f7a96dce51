/** Reads typed fields out of a config.json and gathers everything that is wrong, instead of stopping at the first. */
import type { RopeScaling } from './config.ts';
import { isRecord } from './model-files.ts';

export class ConfigFields {
  readonly source: Record<string, unknown>;
  readonly problems: string[] = [];

  private report = (sentence: string): unknown => this.problems.push(sentence);

  constructor(source: Record<string, unknown>) {
    this.source = source;
  }

  problem(sentence: string): void {
    this.report(sentence);
  }

  /** A whole number in 1..max. `missing` stands for an absent or null field; without it the field is required. */
  integer(name: string, max: number, missing?: number): number {
    const value = this.source[name] ?? missing;
    if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= max) return value;
    // A default that was derived from a wrong field: that field is reported already.
    if (typeof value === 'number' && Number.isNaN(value)) return Number.NaN;
    this.wrong(name, value, `a whole number from 1 to ${max}`);
    return Number.NaN;
  }

  /** A number in min..max. */
  number(name: string, min: number, max: number, missing?: number): number {
    const value = this.source[name] ?? missing;
    if (typeof value === 'number' && value >= min && value <= max) return value;
    this.wrong(name, value, `a number from ${min} to ${max}`);
    return Number.NaN;
  }

  flag(name: string, missing: boolean): boolean {
    const value = this.source[name] ?? missing;
    if (typeof value === 'boolean') return value;
    this.wrong(name, value, 'true or false');
    return missing;
  }

  oneOf<T extends string>(name: string, choices: readonly T[]): T | null {
    const found = choices.find((choice) => choice === this.source[name]);
    if (found === undefined) this.wrong(name, this.source[name], `one of ${choices.join(', ')}`);
    return found ?? null;
  }

  /** A list of `count` numbers in min..max; of another list, nothing. */
  numbers(name: string, count: number, min: number, max: number): number[] {
    const value = this.source[name];
    const fits = Array.isArray(value) && value.length === count && value.every((item) => item >= min && item <= max);
    if (fits && value.every((item) => typeof item === 'number')) return value;
    this.wrong(name, value, `a list of ${count} numbers from ${min} to ${max}`);
    return [];
  }

  /** The fields of an object in a field; their problems are reported under its name with this object's own. */
  inner(name: string): ConfigFields {
    const value = this.source[name];
    const fields = new ConfigFields(isRecord(value) ? value : {});
    fields.report = (sentence) => this.problem(`${name}: ${sentence}`);
    return fields;
  }

  /** A token id, a list of them, or null. */
  tokenIds(name: string, vocabSize: number): number[] {
    const value = this.source[name] ?? [];
    const ids: unknown[] = Array.isArray(value) ? value : [value];
    // Where vocab_size itself is wrong (NaN), nothing compares as too large.
    if (ids.every((id) => typeof id === 'number' && Number.isInteger(id) && id >= 0 && !(id >= vocabSize))) {
      return ids as number[];
    }
    this.wrong(name, value, `null, a token id below vocab_size, or a list of them`);
    return [];
  }

  /**
   * rope_theta and rope_scaling; newer files hold both in rope_parameters. Only llama3's scaling is built, and the types
   * in `readElsewhere`, which give none here. `missingTheta` is the architecture's default.
   */
  ropeParameters(
    readElsewhere: readonly string[],
    missingTheta: number,
  ): { theta: number; scaling: RopeScaling | null } {
    const name = this.source.rope_parameters == null ? 'rope_scaling' : 'rope_parameters';
    const value = this.source[name] ?? {};
    if (!isRecord(value)) {
      this.wrong(name, value, 'null or an object');
      return { theta: Number.NaN, scaling: null };
    }
    const inner = this.inner(name);
    const outerTheta = this.source.rope_theta == null ? missingTheta : this.number('rope_theta', 1, 1e12);
    const theta = value.rope_theta == null ? outerTheta : inner.number('rope_theta', 1, 1e12);
    const type = value.rope_type ?? value.type ?? 'default';
    let scaling: RopeScaling | null = null;
    if (type === 'llama3') {
      scaling = {
        factor: inner.number('factor', 1, 1e6),
        lowFreqFactor: inner.number('low_freq_factor', 1e-6, 1e6),
        highFreqFactor: inner.number('high_freq_factor', 1e-6, 1e6),
        originalMaxPositionEmbeddings: inner.integer('original_max_position_embeddings', 2 ** 24),
      };
      if (scaling.highFreqFactor <= scaling.lowFreqFactor)
        inner.problem('high_freq_factor is not above low_freq_factor.');
    } else if (readElsewhere.includes(String(type))) {
      return { theta, scaling };
    } else if (type !== 'default') {
      inner.problem(`Scaling of type ${JSON.stringify(type)} is not supported, only "llama3".`);
    } else if (Object.values(value).some(isRecord)) {
      inner.problem('Different parameters for different layers are not supported.');
    } else if (value.factor != null && value.factor !== 1) {
      inner.problem(`It has a factor ${JSON.stringify(value.factor)}, but no rope_type that says what to do with it.`);
    }
    return { theta, scaling };
  }

  private wrong(name: string, value: unknown, wanted: string): void {
    const found = value === undefined ? 'is missing' : `is ${brief(value)}`;
    this.problem(`${name} ${found}; it must be ${wanted}.`);
  }
}

/** A value as JSON, cut to what fits in a sentence. */
function brief(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
