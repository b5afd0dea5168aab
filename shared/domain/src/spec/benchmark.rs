//! The benchmarks that an evaluation may name: those that the evaluator knows. Their files, and what they compute, are its own.

/// Benchmarks of one task each.
const SINGLE: &str = "arc_challenge arc_easy boolq commonsense_qa custom_multiple_choice custom_question_answer gsm8k \
    heldout_loss hellaswag lambada_openai openbookqa perplexity piqa sciq truthfulqa_mc1 truthfulqa_mc2 \
    wikitext winogrande";

/// Benchmarks of many subjects: the group's own name, its parts, how the names of its subjects begin, and the subjects.
const FAMILIES: [Family; 3] = [
    Family { name: "ceval-valid", parts: &[], prefix: "ceval-valid_", subjects: CEVAL },
    Family { name: "cmmlu", parts: &[], prefix: "cmmlu_", subjects: CMMLU },
    Family {
        name: "mmlu",
        parts: &["mmlu_stem", "mmlu_other", "mmlu_social_sciences", "mmlu_humanities"],
        prefix: "mmlu_",
        subjects: MMLU,
    },
];

const CEVAL: &str = "computer_network operating_system computer_architecture college_programming college_physics \
    college_chemistry advanced_mathematics probability_and_statistics discrete_mathematics \
    electrical_engineer metrology_engineer high_school_mathematics high_school_physics high_school_chemistry \
    high_school_biology middle_school_mathematics middle_school_biology middle_school_physics \
    middle_school_chemistry veterinary_medicine college_economics business_administration marxism \
    mao_zedong_thought education_science teacher_qualification high_school_politics high_school_geography \
    middle_school_politics middle_school_geography modern_chinese_history ideological_and_moral_cultivation \
    logic law chinese_language_and_literature art_studies professional_tour_guide legal_professional \
    high_school_chinese high_school_history middle_school_history civil_servant sports_science \
    plant_protection basic_medicine clinical_medicine urban_and_rural_planner accountant fire_engineer \
    environmental_impact_assessment_engineer tax_accountant physician";

const CMMLU: &str = "agronomy anatomy ancient_chinese arts astronomy business_ethics chinese_civil_service_exam \
    chinese_driving_rule chinese_food_culture chinese_foreign_policy chinese_history chinese_literature \
    chinese_teacher_qualification clinical_knowledge college_actuarial_science college_education \
    college_engineering_hydrology college_law college_mathematics college_medical_statistics \
    college_medicine computer_science computer_security conceptual_physics construction_project_management \
    economics education electrical_engineering elementary_chinese elementary_commonsense \
    elementary_information_and_technology elementary_mathematics ethnology food_science genetics \
    global_facts high_school_biology high_school_chemistry high_school_geography high_school_mathematics \
    high_school_physics high_school_politics human_sexuality international_law journalism jurisprudence \
    legal_and_moral_basis logical machine_learning management marketing marxist_theory modern_chinese \
    nutrition philosophy professional_accounting professional_law professional_medicine \
    professional_psychology public_relations security_study sociology sports_science \
    traditional_chinese_medicine virology world_history world_religions";

const MMLU: &str = "abstract_algebra anatomy astronomy business_ethics clinical_knowledge college_biology college_chemistry \
    college_computer_science college_mathematics college_medicine college_physics computer_security \
    conceptual_physics econometrics electrical_engineering elementary_mathematics formal_logic global_facts \
    high_school_biology high_school_chemistry high_school_computer_science high_school_european_history \
    high_school_geography high_school_government_and_politics high_school_macroeconomics \
    high_school_mathematics high_school_microeconomics high_school_physics high_school_psychology \
    high_school_statistics high_school_us_history high_school_world_history human_aging human_sexuality \
    international_law jurisprudence logical_fallacies machine_learning management marketing medical_genetics \
    miscellaneous moral_disputes moral_scenarios nutrition philosophy prehistory professional_accounting \
    professional_law professional_medicine professional_psychology public_relations security_studies \
    sociology us_foreign_policy virology world_religions";

struct Family {
    name: &'static str,
    parts: &'static [&'static str],
    prefix: &'static str,
    subjects: &'static str,
}

/// Whether the evaluator knows a benchmark, or a group of them, of this name.
pub fn is_benchmark(name: &str) -> bool {
    let name = canonical(name);
    let name = name.as_str();
    SINGLE.split(' ').any(|known| known == name)
        || FAMILIES.iter().any(|family| {
            let subject = name.strip_prefix(family.prefix);
            family.name == name
                || family.parts.contains(&name)
                || subject.is_some_and(|subject| family.subjects.split(' ').any(|known| known == subject))
        })
}

/// Whether scoring one would score the other again: the same benchmark, or a group and one of its subjects.
pub(super) fn overlap(one: &str, other: &str) -> bool {
    let (one, other) = (canonical(one), canonical(other));
    let holds = |group: &str, subject: &str| {
        FAMILIES.iter().any(|family| family.name == group && subject.starts_with(family.prefix))
    };
    one == other || holds(&one, &other) || holds(&other, &one)
}

/// The evaluator's own name of what goes by several.
fn canonical(name: &str) -> String {
    match name {
        "lambada" => "lambada_openai".to_owned(),
        "ceval" => "ceval-valid".to_owned(),
        _ => match name.strip_prefix("ceval_") {
            Some(subject) => format!("ceval-valid_{subject}"),
            None => name.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_aliases_groups_and_subjects_are_known() {
        for known in [
            "arc_easy",
            "lambada",
            "ceval",
            "ceval_law",
            "ceval-valid_law",
            "mmlu",
            "mmlu_stem",
            "mmlu_anatomy",
        ] {
            assert!(is_benchmark(known), "{known}");
        }
        for unknown in ["", "ARC", "arc", "mmlu_", "mmlu_ceval_law", "../x", "arc_easy.yaml", "humaneval"] {
            assert!(!is_benchmark(unknown), "{unknown}");
        }
    }

    #[test]
    fn a_group_overlaps_its_subjects_and_an_alias_its_benchmark() {
        assert!(overlap("mmlu", "mmlu_anatomy") && overlap("ceval_law", "ceval"));
        assert!(overlap("lambada", "lambada_openai") && overlap("piqa", "piqa"));
        assert!(!overlap("mmlu", "cmmlu_anatomy") && !overlap("mmlu_law", "mmlu_anatomy"));
    }
}
