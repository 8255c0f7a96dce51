// Makes the extension's VSIX files, one a platform, in dist/vsix/, from what `npm run build` made:
//   npm run package                          all platforms
//   npm run package -- --target linux-x64    only these (may be repeated)
//   npm run package -- --out some/folder     puts them elsewhere
//   npm run package -- --pictures-url https://…    where the page for the marketplace finds media/screenshots; without it the page
//                                                  has no pictures
// Each holds the binaries of its platform and no others; those that are not installed here come from the npm registry and are
// checked against package-lock.json.
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createVSIX } from '@vscode/vsce';
import { manifest, stageExtension, vsixName } from './package-staging.mjs';

const targets = ['linux-x64', 'linux-arm64', 'win32-x64', 'win32-arm64', 'darwin-arm64'];

const { values } = parseArgs({
  options: {
    target: { type: 'string', multiple: true, default: targets },
    out: { type: 'string', default: join('dist', 'vsix') },
    'pictures-url': { type: 'string' },
  },
});
const unknown = values.target.filter((target) => !targets.includes(target));
if (unknown.length > 0) {
  console.error(`unknown target ${unknown.join(', ')}; there are ${targets.join(', ')}`);
  process.exit(2);
}

mkdirSync(values.out, { recursive: true });
for (const target of values.target) {
  const staging = join(values.out, `staging-${target}`);
  stageExtension(target, staging, values['pictures-url']);
  const packagePath = join(values.out, vsixName(target));
  rmSync(packagePath, { force: true });
  await createVSIX({
    cwd: staging,
    target,
    packagePath,
    // They lie in dist/node_modules already, with only what they need.
    dependencies: false,
    readmePath: 'MARKETPLACE.md',
    allowMissingRepository: true,
    rewriteRelativeLinks: false,
  });
  rmSync(staging, { recursive: true, force: true });
  console.log(`${manifest().name} ${target}: ${(statSync(packagePath).size / 1e6).toFixed(1)} MB, ${packagePath}`);
}
