/** Whether the base model is helped by texts beside the question. */
import { modelFolder } from '../settings.ts';

/** The embedded model is too small to read what it is shown: it answers from what it absorbed, and any other text leads it astray. */
export function readsTexts(): boolean {
  return modelFolder() !== undefined;
}
