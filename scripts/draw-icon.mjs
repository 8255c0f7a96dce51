// Draws media/icon.png, the picture that shops of extensions show, from media/source/icon.svg: node scripts/draw-icon.mjs
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { chromiumBinary } from '../test/e2e/setup/places.mjs';

const size = 256;
const browser = await chromium.launch({ executablePath: chromiumBinary, args: ['--no-sandbox', '--disable-gpu'] });
const page = await browser.newPage({ viewport: { width: size, height: size } });
await page.setContent(
  `<style>body { margin: 0 } svg { display: block }</style>${readFileSync('media/source/icon.svg', 'utf8')}`,
);
await page.screenshot({ path: 'media/icon.png', omitBackground: true });
await browser.close();
