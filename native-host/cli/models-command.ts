/** `lift models`: which base models there are, and whether a folder or file holds one that works. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { CliContext } from './context.ts';
import { addModelsGetCommand } from './models-get-command.ts';
import { count } from './number-text.ts';
import { printResult } from './print.ts';
import { existingModel, type SharedOptions, withServices, withSharedOptions } from './shared-options.ts';
import { textTable } from './text-table.ts';

/** What a model is checked with unless the user gives a text. */
const sampleText = `# Shapes

This folder computes the area of simple shapes.

export function areaOfRectangle(width: number, height: number): number {
  return width * height;
}
`;

export function addModelsCommand(program: Command, context: CliContext): void {
  const models = program
    .command('models')
    .description('List base models, download one, and check one that is on the disk.');

  const list = models.command('list').description('Show the base models that are at hand.');
  withSharedOptions(list).action(async (options: SharedOptions) => {
    const entries = await withServices(context, options, (services) => services.models());
    printResult(context, options.json, { models: entries }, () =>
      textTable(
        ['Model', 'Architecture', 'Parameters', 'Folder'],
        entries.map(({ name, architecture, parameters, folder }) => [name, architecture, count(parameters), folder]),
        ['Parameters'],
      ),
    );
  });

  addModelsGetCommand(models, context);

  const check = models
    .command('check')
    .description('Open a model, measure it on a text, and write on after it.')
    .argument('<path>', "a folder in Hugging Face's layout, or a GGUF file")
    .option('--text <file>', 'the text (default: a few lines of code)');
  withSharedOptions(check).action(async (path: string, options: SharedOptions & { text?: string }) => {
    const folder = existingModel(context, path);
    const text = options.text === undefined ? sampleText : readText(resolve(context.workingFolder, options.text));
    // With the model itself opened for everything, no other one needs to be there.
    const result = await withServices(context, { model: folder, ...options }, (services) =>
      services.checkModel(folder, text),
    );
    printResult(context, options.json, result, () => [
      `Architecture  ${result.architecture}`,
      `Parameters    ${count(result.parameters)}`,
      `Mean loss     ${result.nll.toFixed(4)} nats a token`,
      `Goes on with  ${result.greedyIds.join(' ')}`,
      'Absorbing with it takes',
      ...result.plans.map(({ device, fits, plan }) => `  ${device.padEnd(10)}  ${fits ? '' : 'does not fit: '}${plan}`),
    ]);
  });
}

function readText(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`The text ${file} cannot be read: ${(error as Error).message}`);
  }
  if (text.trim() === '') throw new Error(`The text ${file} is empty. Give one of a few lines at least.`);
  return text;
}
