/** Why a folder cannot be used as a model: everything that is wrong with it, in one error. */
export class ModelError extends Error {
  /** One sentence for each thing that is wrong. */
  readonly mismatches: readonly string[];
  /** What to do next. */
  readonly advice: string;

  /** `subject` is the folder or file. */
  constructor(subject: string, mismatches: readonly string[], advice: string) {
    super(`${subject} cannot be used:\n${mismatches.map((mismatch) => `  - ${mismatch}`).join('\n')}\n${advice}`);
    this.name = 'ModelError';
    this.mismatches = mismatches;
    this.advice = advice;
  }
}

/** The sentence that an error of any origin carries. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
