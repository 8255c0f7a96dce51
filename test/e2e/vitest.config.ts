import { defineConfig } from 'vitest/config';

/** What the workbench is set up for: the tests, the pictures of the extension, or measurements. */
const suites: Record<string, string[]> = {
  tests: ['test/e2e/*.e2e.ts'],
  pictures: ['test/e2e/pictures/*.ts'],
  measurements: ['bench/workbench/workbench.ts'],
};

export default defineConfig({
  test: {
    include: suites[process.env.LIFT_E2E_SUITE ?? 'tests']!,
    pool: 'forks',
    // One workbench at a time: two of them would train against each other for the processor.
    fileParallelism: false,
    testTimeout: 900_000,
    hookTimeout: 180_000,
    reporters: ['verbose'],
  },
});
