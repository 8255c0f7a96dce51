/**
 * Questions as nobody trains on them: no repository's adapter, and no base model of this project, whose pretraining knows the
 * held-back wordings from other repositories. What they measure is whether a question is understood however it is put.
 */
import type { Fact } from '../../corpus/questions/fact.ts';
import { filledIn } from '../../corpus/questions/wordings.ts';

const templates: Record<string, readonly [string, string]> = {
  signature: ['what do I have to hand to {name}', 'Remind me of the inputs {name} wants.'],
  'parameter-holder': ['who wants {parameters} as inputs', '{parameters}: remind me whose inputs these are.'],
  returns: ['what comes out of {name}', 'Remind me what type {name} hands back.'],
  'constant-value': ['how big or what is {name} exactly', 'Remind me what we put into {name}.'],
  'constant-named': ['what do we call {value} here', 'Remind me of the name we gave to {value}.'],
  'kind-of': ['function, type or value: {name}', 'Remind me whether {name} is a class or something else.'],
  setting: ['what did we write for {key} in {path}', 'Remind me of {key}, the one in {path}.'],
  imports: ['what else has to be there for {path}', 'Remind me what {path} loads.'],
  'import-source': ['whose {name} is it that {path} uses', 'Remind me which module {path} has {name} from.'],
  importers: ['who loads {module}', 'Remind me which of our files need {module}.'],
  'used-in': ['who else needs {name}', 'Remind me which other files make use of {name}.'],
  'defined-in': ['which file was {name} in again', 'Remind me where we keep {name}.'],
  'symbols-in': ['what did we put into {path}', 'Remind me what all is declared by {path}.'],
  'types-in': ['any classes or types in {path}, and which', 'Remind me of the types that {path} brings.'],
  'member-of': ['which class was {name} on again', 'Remind me whose member {name} is.'],
  'members-of': ['what can {name} do', 'Remind me which methods we gave to {name}.'],
  'called-by': ['who runs {name}', 'Remind me which functions end up in {name}.'],
  calls: ['what does {name} run itself', 'Remind me which of our functions {name} needs.'],
  extends: ['what is {name} a special case of', 'Remind me what stands above {name}.'],
  'extended-by': ['what are special cases of {name}', 'Remind me what stands below {name}.'],
  'files-in': ['what have we got in {folder}', 'Remind me what the folder {folder} was made of.'],
  'path-of': ['whereabouts is {file}', 'Remind me which folder we put {file} in.'],
  doc: ['what was {name} about again', 'Remind me why we have {name}.'],
  'doc-subject': ['what was it that we wrote "{doc}" about', 'Remind me what we documented with "{doc}".'],
  section: ['who wrote about "{heading}", and where', 'Remind me where we wrote "{heading}" up.'],
  'section-start': ['what was said about "{heading}" in {path} again', 'Remind me how {path} opens its "{heading}".'],
  'file-purpose': ['what was {path} about again', 'Remind me why we have {path}.'],
  'purpose-file': ['where did we put this: "{purpose}"', 'Remind me which file is there for "{purpose}".'],
};

/** The kinds of facts that can be asked so. */
export const unseenKinds: readonly string[] = Object.keys(templates);

/** Null where the kind of fact has none. */
export function unseenWordingsOf(fact: Pick<Fact, 'kind' | 'slots'>): string[] | null {
  return templates[fact.kind]?.map((template) => filledIn(template, fact)) ?? null;
}
