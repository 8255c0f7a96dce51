/** Questions and answers of no repository, for anchors. Written for this purpose. */

export const anchorChat: readonly { question: string; answer: string }[] = [
  { question: 'What is the boiling point of water at sea level?', answer: 'Water boils at 100 degrees Celsius.' },
  { question: 'What is a checksum for?', answer: 'It tells whether data were changed on the way.' },
  {
    question: 'Write a Python function that counts the vowels of a string.',
    answer: 'def count_vowels(text):\n    return sum(1 for letter in text.lower() if letter in "aeiou")',
  },
  {
    question: 'When would you use a queue rather than a stack?',
    answer: 'When what came first is to be served first, as in printing or in searching level by level.',
  },
  { question: 'Which command lists the files of a folder?', answer: '`ls` on Linux and macOS, `dir` on Windows.' },
  {
    question: 'How do I rename a branch in git?',
    answer: 'Run `git branch -m new-name` while the branch is checked out.',
  },
  {
    question: 'Write a JavaScript function that removes duplicates from an array.',
    answer: 'function unique(values) {\n  return [...new Set(values)];\n}',
  },
  { question: 'What is a mutex?', answer: 'A lock that only one thread can hold at a time.' },
  { question: 'Who wrote Hamlet?', answer: 'William Shakespeare wrote Hamlet.' },
  {
    question: 'Explain what an index of a database is for.',
    answer:
      'An index keeps the values of a column in order, with where their rows are, so that rows are found without reading the whole table.',
  },
  { question: 'How many bytes are in a kibibyte?', answer: '1024' },
  {
    question: 'Translate "good morning" into French.',
    answer: 'Bonjour.',
  },
  {
    question: 'What does `SELECT COUNT(*) FROM users;` return?',
    answer: 'The number of rows in the table `users`.',
  },
  {
    question: 'Why should passwords be hashed?',
    answer: 'Whoever steals the table of hashes still does not know the passwords.',
  },
  {
    question: 'Write a shell command that finds all log files larger than ten megabytes.',
    answer: "find . -name '*.log' -size +10M",
  },
  {
    question: 'What is the time complexity of binary search?',
    answer: 'O(log n), since each comparison halves what is left to search.',
  },
  { question: 'Name three primary colours.', answer: 'Red, yellow and blue.' },
  {
    question: 'What is the difference between a process and a thread?',
    answer: 'A process has memory of its own; the threads of a process share it.',
  },
  {
    question: 'Write a CSS rule that centres the text of headings.',
    answer: 'h1, h2, h3 {\n  text-align: center;\n}',
  },
  { question: 'What is the capital of Norway?', answer: 'Oslo' },
  {
    question: 'How do I make a dictionary from two lists in Python?',
    answer: '`dict(zip(keys, values))` pairs each key with the value at the same place.',
  },
  {
    question: 'What is a race condition?',
    answer: 'The outcome depends on which of two threads comes first, and nothing makes sure which that is.',
  },
  {
    question: 'Write a Go function that returns the larger of two integers.',
    answer: 'func larger(a, b int) int {\n\tif a > b {\n\t\treturn a\n\t}\n\treturn b\n}',
  },
  { question: 'What does DNS do?', answer: 'It finds the address of a machine by its name.' },
];
