/** Pieces of text that arrive faster than they can be looked at, passed on together. */

/** At most 30 times a second. */
const MILLISECONDS_BETWEEN = 33;

export class CoalescedText {
  private text = '';
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly passOn: (text: string) => void) {}

  push(text: string): void {
    this.text += text;
    this.timer ??= setTimeout(() => this.flush(), MILLISECONDS_BETWEEN);
  }

  /** Passes on what waits, now. */
  flush(): void {
    const { text } = this;
    this.drop();
    if (text !== '') this.passOn(text);
  }

  /** Forgets what waits. */
  drop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.text = '';
  }
}
