// What can be asked of a run or of one of its tasks, and what will happen then. Whether it can be asked now, and by whom,
// the server says.

import { post } from "./api";
import { asking, type Question } from "./asking.svelte";
import { plural } from "./text";

export interface Subject {
  run: string;
  plan: string;
  done: number;
  total: number;
  executed: number;
}

interface Command {
  verb: string;
  label: string;
  grave?: boolean;
  question: (run: Subject) => Omit<Question, "act" | "grave">;
}

export const COMMANDS: Command[] = [
  {
    verb: "confirm",
    label: "Confirm",
    question: (run) => ({
      title: `Keep what ${run.plan} did?`,
      says: [`The run ends committed: ${plural(run.executed, "step")} stay as they are. Without this it rolls back when the time is up.`],
      yes: "Keep it",
    }),
  },
  {
    verb: "pause",
    label: "Pause",
    question: (run) => ({
      title: `Pause ${run.plan}?`,
      says: [
        "What is being applied is finished first, and the run rests where its open stages end. It keeps its locks, and nothing is undone.",
        `${run.done} of ${plural(run.total, "step")} are done.`,
      ],
      yes: "Pause",
    }),
  },
  {
    verb: "resume",
    label: "Resume",
    question: (run) => ({
      title: `Let ${run.plan} go on?`,
      says: [`${plural(run.total - run.done, "step")} are still to do. The run goes on where it rests.`],
      yes: "Resume",
    }),
  },
  {
    verb: "retry",
    label: "Retry",
    question: (run) => ({
      title: `Try ${run.plan} again?`,
      says: ["The same run goes on, with the same plan. Tasks that are in are left alone."],
      yes: "Try again",
      choice: {
        label: "Where to begin",
        options: [
          { value: "checkpoint", label: "From where it stopped.", says: "Stages that are done are not repeated." },
          { value: "scratch", label: "From scratch.", says: "Every stage of the failed tasks runs again." },
        ],
      },
    }),
  },
  {
    verb: "cancel",
    label: "Cancel",
    grave: true,
    question: (run) => ({
      title: `Cancel ${run.plan} and roll it back?`,
      says: [
        "What is being applied is finished first. Then everything this run did is undone, in reverse.",
        run.executed ? `${plural(run.executed, "step")} will be undone.` : "Nothing was changed so far.",
      ],
      yes: "Cancel and roll back",
    }),
  },
  {
    verb: "rollback",
    label: "Roll back",
    grave: true,
    question: (run) => ({
      title: `Roll ${run.plan} back?`,
      says: [
        `Everything is to be as it was before this run: ${plural(run.executed, "step")} will be undone, in reverse.`,
        "What somebody else has changed since is reported and left alone.",
      ],
      yes: "Roll back",
    }),
  },
];

export function commandsFor(verbs: string[]): Command[] {
  return COMMANDS.filter(({ verb }) => verbs.includes(verb));
}

export function ask(command: Command, run: Subject, after: () => void): void {
  asking.ask({
    ...command.question(run),
    grave: command.grave,
    act: async ({ chosen }) => {
      await post(`/runs/${run.run}/${command.verb}`, chosen ? { from: chosen } : {});
      after();
    },
  });
}

/** Says yes to a step, or to the gate between two batches of a roll-out. */
export function askApproval(run: Subject, step: string, after: () => void): void {
  const gate = step === "gate";
  asking.ask({
    title: gate ? "Let the next batch begin?" : `Say yes to ${step}?`,
    says: [
      gate
        ? "The tasks of the batch before are in and healthy. The next ones begin at once."
        : "The run waits for this answer, and goes on as soon as it has it.",
    ],
    yes: "Approve",
    act: async () => {
      await post(`/runs/${run.run}/approve`, { step });
      after();
    },
  });
}

// -- of one task

interface TaskCommand {
  verb: string;
  label: string;
  says: string;
  grave?: boolean;
}

const TASK_COMMANDS: TaskCommand[] = [
  { verb: "pause", label: "Pause", says: "It rests where its open stage ends. Other tasks go on." },
  { verb: "resume", label: "Resume", says: "It goes on where it rests." },
  { verb: "retry", label: "Retry", says: "It goes on from its last stage that is in. Other tasks are left alone." },
  { verb: "cancel", label: "Cancel", says: "What it did is undone. Other tasks go on.", grave: true },
  { verb: "rollback", label: "Roll back", says: "What it did is undone, in reverse. Other tasks are left alone.", grave: true },
];

export function taskCommandsFor(verbs: string[]): TaskCommand[] {
  return TASK_COMMANDS.filter(({ verb }) => verbs.includes(verb));
}

export function askTask(command: TaskCommand, run: string, task: string, after: () => void): void {
  asking.ask({
    title: `${command.label} the task ${task}?`,
    says: [command.says],
    yes: command.label,
    grave: command.grave,
    act: async () => {
      await post(`/runs/${run}/${command.verb}`, { task });
      after();
    },
  });
}
