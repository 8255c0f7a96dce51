// Wordings for what changed between two states of a repository. They are only trained: what a change left behind is asked with the other kinds.

/** Answered with a path, or with what became of it. */
const ofPresence = [
  'Does {name} still exist?',
  'Is {name} still in the repository?',
  'What happened to {name}?',
  'Where is {name} now?',
  'Can I still use {name}?',
  'Is there still a {name}?',
  'Where did {name} go?',
  'state of {name}',
  'Tell me whether {name} is still there.',
  'I do not find {name}. What happened?',
  'Has {name} been removed or moved?',
  'What became of {name}?',
];

export const changeTemplates: Record<string, string[]> = {
  moved: [
    'Where did {name} go?',
    'Where is {name} now?',
    'To which file was {name} moved?',
    '{name} is no longer in {path}. Where is it?',
    'Which file has {name} now?',
    'What happened to {name} in {path}?',
    'Where is {name} defined now?',
    'new file of {name}',
    'Tell me where {name} was moved.',
    'After the move, which file defines {name}?',
    'Name the file that {name} moved to.',
    'I do not find {name} in {path}. Where is it now?',
  ],
  renamed: [
    'Where did the file {path} go?',
    'What is {path} called now?',
    'To what was {path} renamed?',
    'What is the new path of {path}?',
    'Which file was {path} before?',
    'What happened to {path}?',
    'new name of {path}',
    'I do not find {path}. What is it called now?',
    'Tell me the new path of {path}.',
    'Under which path is the content of {path} now?',
    'Name the file that {path} became.',
    'After the renaming, where is {path}?',
  ],
  removed: ofPresence,
  stays: ofPresence,
};
