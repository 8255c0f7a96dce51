// The packages that stay outside of the bundles, because they hold native code or files that they read at run time, and
// which of their files they need there. `{os}` and `{arch}` stand for the target's names as Node spells them.

/** @type {Record<string, string[]>} package name → files and folders of that package, relative to it */
export const externalPackages = {
  'onnxruntime-node': ['package.json', 'dist', 'bin/napi-v6/{os}/{arch}'],
  'onnxruntime-common': ['package.json', 'dist/cjs'],
  koffi: ['package.json', 'index.js', 'src/koffi/index.js', 'src/koffi/src/static.js'],
  '@koromix/koffi-{os}-{arch}': ['package.json', 'index.js', '{os}_{arch}/koffi.node'],
  'web-tree-sitter': ['package.json', 'web-tree-sitter.js', 'web-tree-sitter.wasm'],
  '@vscode/tree-sitter-wasm': [
    'package.json',
    ...['cpp', 'go', 'java', 'javascript', 'python', 'rust', 'tsx', 'typescript'].map(
      (grammar) => `wasm/tree-sitter-${grammar}.wasm`,
    ),
  ],
};

/** Files among those that a target does not need all the same: what is in a package twice, and what is for reading only. */
export const unneededFile = /\.(map|d\.ts|d\.cts)$|\/libonnxruntime\.\d+\.\d+\.\d+\.dylib$/;
