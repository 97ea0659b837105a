// The one question that stands open, if any. Whoever wants something changed hands it over and is called when it is answered.

export interface Question {
  title: string;
  says: string[];
  yes: string;
  no?: string;
  grave?: boolean;
  choice?: { label: string; options: { value: string; label: string; says: string }[] };
  text?: { label: string; pattern: string };
  act: (answer: { chosen: string; typed: string }) => Promise<unknown>;
}

class Asking {
  question = $state.raw<Question | null>(null);
  chosen = $state("");
  typed = $state("");
  busy = $state(false);
  error = $state.raw<Error | null>(null);

  ask(question: Question): void {
    this.chosen = question.choice?.options[0]?.value ?? "";
    this.typed = "";
    this.error = null;
    this.question = question;
  }

  async yes(): Promise<void> {
    const question = this.question;
    if (question === null || this.busy) return;
    this.busy = true;
    this.error = null;
    try {
      await question.act({ chosen: this.chosen, typed: this.typed });
      if (this.question === question) this.close();
    } catch (error) {
      this.error = error as Error;
    } finally {
      this.busy = false;
    }
  }

  close(): void {
    this.question = null;
  }
}

export const asking = new Asking();
