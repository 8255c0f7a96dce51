/** Questions with free-form reference answers, as a user brings them: one JSON object a line. */

export interface ReferenceQuestion {
  question: string;
  answer: string;
  /** The file that it is about, if the set says so. */
  path?: string;
}

/**
 * Reads `{"question", "answer", "path"?}` a line; other fields are left alone, empty lines skipped. Errors: Error with
 * the line of the first one that is wrong, or where there is none. `name` is the file's, for messages.
 */
export function parseReferenceQuestions(text: string, name: string): ReferenceQuestion[] {
  const questions = text.split(/\r?\n/).flatMap((line, i): ReferenceQuestion[] => {
    if (line.trim() === '') return [];
    const problem = (what: string) => new Error(`${name}, line ${i + 1}: ${what}`);
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      throw problem('it is not JSON. Give one object with "question" and "answer" a line.');
    }
    const { question, answer, path } = (value ?? {}) as Record<string, unknown>;
    if (typeof question !== 'string' || question.trim() === '') throw problem('"question" is missing or no text.');
    if (typeof answer !== 'string' || answer.trim() === '') throw problem('"answer" is missing or no text.');
    if (path !== undefined && typeof path !== 'string') throw problem('"path" is no text.');
    return [{ question, answer, ...(path === undefined ? {} : { path }) }];
  });
  if (questions.length === 0) throw new Error(`${name} holds no question.`);
  return questions;
}
