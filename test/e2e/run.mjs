// Runs the end-to-end tests in a real VS Code workbench, which it sets up first where it is missing. It needs what
// `npm run build` makes.
//   node test/e2e/run.mjs [--where-possible] [--suite tests|pictures|measurements] [arguments for vitest]
// With --where-possible a machine that cannot have the workbench is no error; the tests are left out, and it says so. Continuous
// integration sets LIFT_E2E_REQUIRED, with which it is an error all the same.
import { spawnSync } from 'node:child_process';
import { setUpWorkbench, WorkbenchUnavailable } from './setup/workbench.mjs';

const vitestArguments = process.argv.slice(2);
const wherePossible = taken('--where-possible', 1).length > 0 && !process.env.LIFT_E2E_REQUIRED;
const [, suite = 'tests'] = taken('--suite', 2);

try {
  setUpWorkbench();
} catch (error) {
  if (!(error instanceof WorkbenchUnavailable)) throw error;
  console.log(`\nNOT RUN: the end-to-end tests in a VS Code workbench.\n${error.message}\n`);
  process.exit(wherePossible ? 0 : 1);
}
runNode('scripts/package.mjs', '--target', `linux-${process.arch}`);
runNode('node_modules/vitest/vitest.mjs', 'run', '--config', 'test/e2e/vitest.config.ts', ...vitestArguments);

/** Takes an option and what belongs to it out of the arguments, `count` of them in all. */
function taken(option, count) {
  const at = vitestArguments.indexOf(option);
  return at < 0 ? [] : vitestArguments.splice(at, count);
}

function runNode(...args) {
  const { status } = spawnSync(process.execPath, args, {
    stdio: 'inherit',
    env: { ...process.env, LIFT_E2E_SUITE: suite },
  });
  if (status !== 0) process.exit(status ?? 1);
}
