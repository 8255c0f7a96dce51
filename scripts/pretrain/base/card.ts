/** A line of log.json; other fields are train_base.py's to add. */
export interface LogEntry {
  seconds: number;
  stage?: string;
  end?: boolean;
  steps?: number;
  tokens?: number;
  held?: number;
  heldReading?: number;
}

/** A Markdown table of stages, then the held-out losses over time. */
export function trainingTable(log: readonly LogEntry[]): string {
  const ends = log.filter(({ end }) => end);
  const millions = (tokens?: number) => (tokens === undefined ? '' : `${(tokens / 1e6).toFixed(1)} million`);
  const rows = ends.map(({ stage, seconds, steps, tokens, held }, i) => {
    const began = ends[i - 1]?.seconds ?? log.find((entry) => entry.stage === stage)?.seconds ?? 0;
    return `| ${stage} | ${Math.round(seconds - began)} | ${steps} | ${millions(tokens)} | ${held} |`;
  });
  const curve = log
    .filter(({ held, end }) => held !== undefined && !end)
    .map(({ seconds, held, heldReading }) => `${Math.round(seconds)} s ${held}${heldReading ? `/${heldReading}` : ''}`);
  return [
    '| stage | seconds | steps | tokens | held-out loss, nats a token |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
    `Held-out loss of text/of answers read from texts: ${curve.join(', ')}.`,
  ].join('\n');
}
