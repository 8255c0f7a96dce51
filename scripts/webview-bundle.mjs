// How the sidebar page is bundled; its tests bundle it the same way.

/**
 * The toolkit finds out whether browsers know :focus-visible with an inline style, which the page's policy forbids, and then
 * draws focus rings on whatever is clicked. Every browser that runs the page knows it.
 */
const focusVisibleIsKnown = {
  name: 'focus-visible is known',
  /** @param {import('esbuild').PluginBuild} build */
  setup(build) {
    build.onLoad({ filter: /fast-foundation[\\/].*[\\/]utilities[\\/]style[\\/]focus\.js$/ }, () => ({
      contents: "export const focusVisible = 'focus-visible';",
    }));
  },
};

/** @type {import('esbuild').BuildOptions} */
export const webviewBundle = {
  platform: 'browser',
  target: 'chrome128',
  format: 'iife',
  minify: true,
  plugins: [focusVisibleIsKnown],
};
