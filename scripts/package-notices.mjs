// The notices that the licences of other people's packages ask for, with each licence's text.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const microsoft = 'Copyright (c) Microsoft Corporation. All rights reserved.';

/** The copyright lines of packages whose licence stands only in their repository; all of them are under the MIT licence. */
const copyrightOf = {
  'gearhash-jit': 'Copyright (c) 2023 Hugging Face',
  'onnxruntime-node': microsoft,
  'onnxruntime-common': microsoft,
  '@microsoft/fast-element': microsoft,
  '@microsoft/fast-foundation': microsoft,
  '@microsoft/fast-web-utilities': microsoft,
};

/**
 * The text of THIRD-PARTY-NOTICES.txt for packages by name, each with the folder of its files.
 * Errors: a package without a licence that can be found, because it could not be shipped.
 */
export function thirdPartyNotices(packages) {
  const names = Object.keys(packages).sort();
  const notices = names.map((name) => {
    const { version, license } = JSON.parse(readFileSync(join(packages[name], 'package.json'), 'utf8'));
    return `${name} ${version} (${license})\n\n${licenceText(name, license, packages)}`;
  });
  const rule = `\n\n${'-'.repeat(100)}\n\n`;
  return `LIFT for VS Code contains these packages, each under its own licence.\n\n${names.join('\n')}${rule}${notices.join(rule)}\n`;
}

function licenceText(name, license, packages) {
  const file = licenceFile(packages[name]);
  if (file !== undefined) return readFileSync(file, 'utf8').trim();
  // The platforms' packages of koffi come without the licence that koffi itself has.
  if (name.startsWith('@koromix/koffi-')) return licenceText('koffi', license, packages);
  if (name in copyrightOf && license === 'MIT') return mitLicence(copyrightOf[name]);
  throw new Error(`${name} has no licence file: look its licence up and name it in scripts/package-notices.mjs`);
}

function licenceFile(folder) {
  const file = readdirSync(folder).find((entry) => /^(licen[cs]e|copying)(\.|-|$)/i.test(entry));
  return file !== undefined && existsSync(join(folder, file)) ? join(folder, file) : undefined;
}

function mitLicence(copyright) {
  const [, conditions] = readFileSync('LICENSE', 'utf8').split(/^Copyright.*$/m);
  return `MIT License\n\n${copyright}\n${conditions.trimEnd()}`;
}
