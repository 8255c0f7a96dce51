/** Options that take names with commas between them. */
import { InvalidArgumentError, Option } from 'commander';
import { type MethodName, methodDescriptions, methodNames, methodOf, usualMethod } from '../study/method.ts';

/** For commander. */
export function listOf<T extends string>(allowed: readonly T[]): (text: string) => T[] {
  return (text) => {
    const names = text.split(',').map((name) => name.trim());
    const unknown = names.filter((name) => !allowed.includes(name as T));
    if (unknown.length > 0)
      throw new InvalidArgumentError(`There is no ${unknown.join(', ')}; there are ${allowed.join(', ')}.`);
    return [...new Set(names)] as T[];
  };
}

const nothing = 'none';

/** What is done beside learning segments and questions. */
export function methodOption(): Option {
  const described = methodNames.map((name) => `${name} (${methodDescriptions[name]})`);
  const text = `what to do beside segments and questions: some of ${described.join(', ')}, or ${nothing}`;
  return new Option('--method <names>', `${text} (default: ${usualMethod.join(',') || nothing})`).argParser(methodFrom);
}

function methodFrom(text: string): MethodName[] {
  if (text.trim() === nothing) return [];
  const names = listOf(methodNames)(text);
  try {
    methodOf(names);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
  return names;
}
