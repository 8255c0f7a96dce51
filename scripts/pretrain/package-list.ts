// The packages whose sources and docs the embedded base model is pretrained on: what is installed with the project, with
// npm, Node and Python, and a few source-rich packages from the npm registry, pinned by version and integrity.
import basePackages from './base/packages.json' with { type: 'json' };
import packages from './packages.json' with { type: 'json' };

export type PackageOrigin =
  | 'registry'
  | 'project'
  | 'npm'
  | 'python'
  | 'python-standard-library'
  | 'node'
  | 'debian'
  | 'debian-archive';

export interface PretrainingPackage {
  name: string;
  version: string;
  license: string;
  from: PackageOrigin;
  /** Subresource integrity of the tarball; only for packages from the registry. */
  integrity?: string;
  /** Of the .deb; only for packages that apt fetches. */
  sha256?: string;
  /** Path prefixes to read; everything when absent. */
  include?: string[];
  /** Largest share of the corpus that this package may have; 0.03 when absent. */
  share?: number;
  /** Held out: never trained on, only validated with. */
  validation?: boolean;
}

export const LARGEST_SHARE = 0.03;

const PERMISSIVE = /^(MIT|MIT-0|ISC|0BSD|BSD-[23]-Clause|PSF-2\.0|CC0-1\.0|Apache-2\.0( WITH LLVM-exception)?)$/;

/** True when every alternative of an SPDX expression is a permissive licence. */
export function isPermissive(license: string): boolean {
  return license
    .replace(/[()]/g, '')
    .split(/ OR | AND /)
    .every((part) => PERMISSIVE.test(part));
}

export function packageList(): PretrainingPackage[] {
  return packages as PretrainingPackage[];
}

/** lift-base is pretrained on what lift-nano is, and on these. */
export function basePackageList(): PretrainingPackage[] {
  return [...(packages as PretrainingPackage[]), ...(basePackages as PretrainingPackage[])];
}
