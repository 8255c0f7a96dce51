// Runs beside the measured extension, in the same process. `Start` forgets what was measured, `Write` writes it to the file
// that the environment names: delays of the event loop in milliseconds.
const { writeFileSync } = require('node:fs');
const { monitorEventLoopDelay } = require('node:perf_hooks');
const vscode = require('vscode');

/** Milliseconds between two looks; a measured interval is that long where nothing was delayed. */
const resolution = 5;
const histogram = monitorEventLoopDelay({ resolution });

exports.activate = (context) => {
  histogram.enable();
  const delay = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - resolution);
  context.subscriptions.push(
    vscode.commands.registerCommand('eventLoopProbe.start', () => histogram.reset()),
    vscode.commands.registerCommand('eventLoopProbe.write', () => {
      const percentiles = [50, 99, 99.9].map((percent) => delay(histogram.percentile(percent)));
      const content = { looks: histogram.count, percentiles, max: delay(histogram.max) };
      writeFileSync(process.env.LIFT_PROBE_FILE, JSON.stringify(content));
    }),
  );
};
