/** The most memory that the process has while something runs. */

const millisecondsBetweenLooks = 50;

/**
 * Runs an action and returns what it gives with the largest resident memory of the process meanwhile, in bytes: weights,
 * the device's workers and whatever was not given back yet included, a card's own memory not.
 */
export async function withPeakMemory<T>(action: () => Promise<T>): Promise<{ result: T; peakBytes: number }> {
  let peakBytes = process.memoryUsage.rss();
  const look = () => {
    peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
  };
  const timer = setInterval(look, millisecondsBetweenLooks);
  try {
    const result = await action();
    look();
    return { result, peakBytes };
  } finally {
    clearInterval(timer);
  }
}
