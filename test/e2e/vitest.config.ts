import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/e2e/**/*.e2e.ts'],
    pool: 'forks',
    // One workbench at a time: two of them would train against each other for the processor.
    fileParallelism: false,
    // A step follows the ones before it, as a user would take them.
    sequence: { concurrent: false },
    bail: 0,
    testTimeout: 300_000,
    hookTimeout: 180_000,
    reporters: ['verbose'],
  },
});
