// Makes a model folder of what train_base.py wrote:
//   node dist/pretrain/base-model.js --from <folder> [--stage episodes|mixture|language] [--out models/lift-base]
// The parts are joined into model.safetensors, whose metadata hold the config; the tokenizer comes from .cache/lift-base.
import { copyFile, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openModelFolder } from '../../../native-host/model/model-folder.ts';
import { readSafetensors } from '../../../native-host/model/safetensors.ts';
import { trainingTable } from './card.ts';

const projectFolder = fileURLToPath(new URL('../../', import.meta.url));
const cacheFolder = process.env.LIFT_BASE_CACHE ?? join(projectFolder, '.cache', 'lift-base');
const { values } = parseArgs({
  options: {
    from: { type: 'string' },
    stage: { type: 'string', default: 'episodes' },
    out: { type: 'string', default: join(projectFolder, 'models', 'lift-base') },
    tokenizer: { type: 'string', default: join(cacheFolder, 'tokenizer') },
  },
});
const { from, stage, out, tokenizer } = values;
if (from === undefined) throw new Error('say with --from where the parts are');

const isPart = new RegExp(`^${stage}\\.\\d{3}$`);
const parts = (await readdir(from)).filter((name) => isPart.test(name)).sort();
if (parts.length === 0) throw new Error(`there are no parts ${stage}.000, ${stage}.001, … in ${from}`);
await mkdir(out, { recursive: true });
const weights = join(out, 'model.safetensors');
const contents = await Promise.all(parts.map((name) => readFile(join(from, name))));
await writeFile(`${weights}.part`, Buffer.concat(contents));
// Refuses a file with a part missing.
const { metadata, byteLength } = await readSafetensors(`${weights}.part`);
await rename(`${weights}.part`, weights);
await writeFile(join(out, 'config.json'), `${JSON.stringify(JSON.parse(metadata.config!), null, 2)}\n`);
for (const name of ['tokenizer.json', 'tokenizer_config.json']) await copyFile(join(tokenizer, name), join(out, name));
const { config } = await openModelFolder(out);
console.log(
  `wrote ${out}: ${config.numHiddenLayers} layers, ${(byteLength / 1e6).toFixed(1)} MB, from ${parts.length} parts`,
);
const log = await readFile(join(from, 'log.json'), 'utf8').catch(() => null);
if (log !== null) console.log(`\nFor its card:\n\n${trainingTable(JSON.parse(log))}`);
