// Spreads drawing over frames: what is to be drawn gets a share of each frame, and the page stays usable however much there is.

/** Draws until the deadline, in milliseconds of performance.now(); true if there is more. */
type Drawing = (deadline: number) => boolean;

const millisecondsPerFrame = 8;
const waiting = new Set<Drawing>();
let requested = false;

/** Draws in the next frames until there is no more; a drawing that waits already waits once. */
export function drawInFrames(drawing: Drawing): void {
  waiting.add(drawing);
  if (!requested) request();
}

function request(): void {
  requested = true;
  requestAnimationFrame(() => {
    requested = false;
    const deadline = performance.now() + millisecondsPerFrame;
    for (const drawing of [...waiting]) {
      waiting.delete(drawing);
      if (drawing(deadline)) waiting.add(drawing);
      if (performance.now() >= deadline) break;
    }
    if (waiting.size > 0) request();
  });
}
