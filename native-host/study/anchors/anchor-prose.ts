/** Prose and documentation of no repository, for anchors. Written for this purpose. */

export const anchorProse: readonly { path: string; text: string }[] = [
  {
    path: 'docs/installation.md',
    text: `# Installation

The tool needs Python 3.9 or newer and about 40 MB of disk. It runs on Linux, macOS and Windows.

\`\`\`sh
pip install harvester
harvester --version
\`\`\`

If you work behind a proxy, set \`HTTPS_PROXY\` before you install. To try the newest changes, install from the repository
instead:

\`\`\`sh
git clone https://example.com/harvester.git
cd harvester
pip install -e .
\`\`\`

## Configuration

Settings are read from \`harvester.toml\` in the current folder, then from your home folder. The first value that is found
is used. All of them are optional.

| setting | default | meaning |
| --- | --- | --- |
| \`timeout\` | 30 | seconds to wait for a server |
| \`retries\` | 3 | how often a failed request is repeated |
| \`cache\` | true | whether answers are kept on disk |

## Troubleshooting

**The command is not found.** The folder of scripts is not in your path. Run \`python -m harvester\` instead.

**Certificates are refused.** Update the package \`certifi\`, or name your own bundle with \`--ca-file\`.
`,
  },
  {
    path: 'CONTRIBUTING.md',
    text: `# Contributing

Thank you for your interest in this project. Please open an issue before you work on a large change, so that we can agree
on the direction. Small corrections are always welcome as pull requests.

1. Fork the repository and create a branch from \`main\`.
2. Run the tests and make sure that they pass. New behaviour needs a new test.
3. Write a short message for each commit: what changed and why.
4. Open a pull request. Somebody will review it within a few days.

By contributing you agree that your work is released under the licence of the project. Be kind to each other; we follow
the usual code of conduct, and reports are read by the maintainers only.
`,
  },
  {
    path: 'notes/rivers.txt',
    text: `A river begins where more rain falls than the ground can hold. The first streams are narrow and quick; they carry sand
and small stones, and cut deep valleys into the hills. Further down, where the land is flat, the water slows and lays down
what it carried. There the river bends. On the outside of each bend it flows faster and eats into the bank; on the inside
it leaves a beach. After some hundred years a bend may become so narrow that the river breaks through and leaves it behind
as a lake. Where it meets the sea, the last of the mud sinks, and new land grows.

People have always lived beside rivers, because they give water, fish and a way to travel. They also flood. Old towns were
built on higher ground, and the meadows beside the water were left to the cows. Only when dams and walls made the floods
seem rare did houses move down to the banks.
`,
  },
  {
    path: 'docs/api.rst',
    text: `API reference
=============

.. module:: lantern.client

.. class:: Client(base_url, *, timeout=10.0, headers=None)

   Talks to a server. A client keeps its connections open until :meth:\`close\` is called; use it as a context manager to
   make sure that this happens.

   :param base_url: Address that all paths are relative to.
   :param timeout: Seconds to wait for the first byte of an answer.
   :param headers: Sent with each request.

   .. method:: get(path, params=None)

      Sends a GET request and returns a :class:\`Response\`.

      :raises TimeoutError: If the server does not answer in time.

   .. method:: close()

      Closes all connections. A closed client cannot be used again.

.. versionadded:: 1.4
   The parameter \`\`headers\`\`.
`,
  },
  {
    path: 'CHANGELOG.md',
    text: `# Changelog

## 2.3.1 (2023-05-14)

### Fixed

- The parser no longer fails on an empty last line.
- Options that begin with two dashes are shown in the help again.

## 2.3.0 (2023-04-02)

### Added

- \`--format json\` prints the result as JSON.
- Support for Python 3.12.

### Changed

- Reading large files takes half of the memory.
- The default of \`max_depth\` is 10 instead of 5.

### Removed

- The deprecated function \`load_all\`. Use \`load\` with a list.
`,
  },
  {
    path: 'letters/garden.txt',
    text: `Dear Anna,

Thank you for the seeds. I put the beans along the south wall, where the soil is warm, and the carrots behind the shed.
The apple tree that we thought was dead has three new branches. It rained for most of April, so the snails have eaten the
first lettuce; I have sown it again in pots and keep them on the kitchen window until they are large enough.

Your uncle says that potatoes should be planted when the dandelions bloom, and he has been right for forty years. We hope
to see you in June, when the strawberries are ripe. Bring the children, and old shoes.

With love,
Martha
`,
  },
];
