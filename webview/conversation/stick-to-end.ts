// Scrolling of the conversation: it follows the answer while the reader is at the end, and stays where the reader put it otherwise.

/** Nearer to the end than this counts as being there. CSS pixels. */
const nearEnd = 24;

export class StickToEnd {
  private following = true;
  private lastTop = 0;

  constructor(
    private readonly scroller: HTMLElement,
    private readonly moved: (atEnd: boolean) => void,
  ) {
    scroller.addEventListener('scroll', () => this.read(), { passive: true });
    new ResizeObserver(() => this.contentChanged()).observe(scroller);
  }

  get atEnd(): boolean {
    return this.following;
  }

  get top(): number {
    return this.scroller.scrollTop;
  }

  contentChanged(): void {
    if (this.following) this.scroller.scrollTop = this.scroller.scrollHeight;
    // Content may have grown below a reader who was at the end of what there was.
    this.moved(this.following);
  }

  toEnd(): void {
    this.following = true;
    this.contentChanged();
  }

  to(top: number): void {
    this.following = false;
    this.scroller.scrollTop = top;
    this.lastTop = this.scroller.scrollTop;
    this.moved(this.following);
  }

  /** Only scrolling up leaves the end: content that grows also changes the distance to it. */
  private read(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    if (scrollHeight - scrollTop - clientHeight <= nearEnd) this.following = true;
    else if (scrollTop < this.lastTop) this.following = false;
    this.lastTop = scrollTop;
    this.moved(this.following);
  }
}
