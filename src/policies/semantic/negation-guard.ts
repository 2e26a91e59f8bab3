import type { Guard } from "./guard.ts";
import { wordsOf } from "./words.ts";

const NEGATORS: ReadonlySet<string> = new Set(
  (
    "no not never none nobody nothing nowhere neither nor without cannot cant dont doesnt didnt wont isnt arent wasnt " +
    "except unless hardly barely lack lacks lacking fail fails failed " +
    "nicht kein keine keinen nie ohne ne pas jamais sans aucun nunca jamás sin ningún não sem non senza mai"
  ).split(" "),
);

const NEGATED = /n't$/;
const PREFIXES = ["un", "in", "im", "ir", "il", "dis", "non", "de", "mis", "anti", "de-", "non-", "un-"];

/** Pairs of which one asks for the contrary of the other. */
const OPPOSITES: readonly (readonly [string, string])[] = (
  "on/off in/out up/down open/close start/stop begin/end enable/disable activate/deactivate allow/deny allow/forbid " +
  "permit/prohibit accept/reject accept/decline approve/decline add/remove insert/delete create/delete install/uninstall " +
  "increase/decrease raise/lower more/less most/least higher/lower high/low max/min maximum/minimum maximal/minimal " +
  "best/worst better/worse good/bad positive/negative buy/sell bought/sold send/receive sent/received deposit/withdraw " +
  "give/take lend/borrow win/lose love/hate like/dislike before/after earlier/later first/last early/late old/new " +
  "above/below over/under inside/outside left/right north/south east/west front/back top/bottom begin/finish " +
  "cheap/expensive cheapest/expensive easy/hard easy/difficult fast/slow big/small large/small long/short hot/cold " +
  "true/false yes/no always/never all/none with/without include/exclude import/export upload/download encrypt/decrypt " +
  "encode/decode compress/decompress lock/unlock block/unblock freeze/unfreeze mute/unmute follow/unfollow " +
  "subscribe/unsubscribe push/pull read/write load/save show/hide connect/disconnect attach/detach join/leave enter/exit " +
  "login/logout debit/credit inbound/outbound incoming/outgoing pass/fail passed/failed success/failure safe/dangerous " +
  "legal/illegal public/private male/female men/women man/woman boy/girl husband/wife mother/father advantages/disadvantages " +
  "advantage/disadvantage pros/cons benefits/risks gain/loss profit/loss rise/fall rising/falling ascending/descending " +
  "asc/desc horizontal/vertical maximize/minimize maximise/minimise strong/weak rich/poor full/empty present/absent"
)
  .split(" ")
  .map((pair) => pair.split("/") as [string, string]);

function negates(words: readonly string[]): boolean {
  return words.some((word) => NEGATORS.has(word) || NEGATED.test(word));
}

// Each question has one side only, and not the same.
function opposed(words: ReadonlySet<string>, others: ReadonlySet<string>): boolean {
  return OPPOSITES.some(
    ([one, contrary]) => onlyOneSays(words, others, one, contrary) || onlyOneSays(others, words, one, contrary),
  );
}

function onlyOneSays(words: ReadonlySet<string>, others: ReadonlySet<string>, one: string, contrary: string): boolean {
  return says(words, one) && !says(words, contrary) && says(others, contrary) && !says(others, one);
}

// "enabled", "enabling", "enables" as well.
function says(words: ReadonlySet<string>, word: string): boolean {
  if (words.has(word)) return true;
  const stem = word.endsWith("e") ? word.slice(0, -1) : word;
  return words.has(`${word}s`) || words.has(`${stem}ed`) || words.has(`${stem}ing`);
}

function negatesByPrefix(words: ReadonlySet<string>, others: ReadonlySet<string>): boolean {
  for (const word of words) {
    if (word.length < 4) continue;
    if (PREFIXES.some((prefix) => others.has(prefix + word) && !words.has(prefix + word))) return true;
  }
  return false;
}

/** Objects when one question negates what the other asks, or asks for the contrary. */
export const negationGuard: Guard = {
  name: "negation",
  admits(question, cachedQuestion) {
    const [list, otherList] = [wordsOf(question), wordsOf(cachedQuestion)];
    if (negates(list) !== negates(otherList)) return false;
    const [words, others] = [new Set(list), new Set(otherList)];
    return !opposed(words, others) && !negatesByPrefix(words, others) && !negatesByPrefix(others, words);
  },
};
