// How texts are shown to a model beside a question. The embedded base model is trained on exactly this form, so a change
// here asks for a new base model.

/** A text of the repository: a whole file, or lines of one. */
export interface ContextText {
  path: string;
  text: string;
}

/** Each text under its path in square brackets, an empty line after it, the question last; only the question without texts. */
export function renderContext(texts: readonly ContextText[], question: string): string {
  return texts.map(renderText).join('') + question;
}

/** One text as it stands in the context. */
export function renderText({ path, text }: ContextText): string {
  return `[${path}]\n${text.replace(/[\r\n]+$/, '')}\n\n`;
}
