//! Fixed prompts that every artifact is probed with, so that certificates can be compared.

/// A named prompt.
pub(crate) struct Probe {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

/// Prose, arithmetic, code, Chinese, a list and a question: registers that quantisation breaks differently.
pub(crate) const fn built_in() -> [Probe; 6] {
    [
        Probe {
            name: "prose",
            text: "The river rose in the night, and by morning the lower meadow was a lake. The farmer walked along the \
                   hedge with his dog, counting the sheep that had found the high ground, and thought of the spring of \
                   his childhood when the bridge had been carried away.",
        },
        Probe {
            name: "arithmetic",
            text: "A train leaves at 9:40 and travels 132 kilometres at 88 kilometres an hour. The journey takes 132 / 88 \
                   = 1.5 hours, so it arrives at 11:10. If the ticket costs 0.15 per kilometre, the fare is 132 * 0.15 = \
                   19.80.",
        },
        Probe {
            name: "code",
            text: "def fibonacci(n):\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return a\n\n\
                   assert [fibonacci(i) for i in range(8)] == [0, 1, 1, 2, 3, 5, 8, 13]\n",
        },
        Probe {
            name: "chinese",
            text: "水在标准大气压下的沸点是一百摄氏度。下列说法中，正确的是哪一项？答案：水的沸点随气压升高而升高。",
        },
        Probe {
            name: "list",
            text: "Ingredients:\n- 2 cups of flour\n- 1 teaspoon of salt\n- 3 eggs\n- half a litre of milk\n\nSteps:\n1. \
                   Mix the flour and the salt.\n2. Beat the eggs with the milk.\n3. Pour slowly, stirring all the time.\n",
        },
        Probe {
            name: "question",
            text: "Question: Which of these is a renewable source of energy?\nA. coal\nB. natural gas\nC. wind\nD. \
                   oil\nAnswer: C. wind, because it is not used up when electricity is made from it.",
        },
    ]
}
