//! Which benchmarks an evaluation may name: the built-in ones, their subjects, and the names that people use for them.

use crate::benchmark::BENCHMARKS;

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

const MMLU: &str = "stem other social_sciences humanities abstract_algebra anatomy astronomy business_ethics clinical_knowledge college_biology college_chemistry \
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

/// Subjects of a benchmark, and parts of it that are scored together.
fn subjects_of(benchmark: &str) -> &'static str {
    match benchmark {
        "ceval-valid" => CEVAL,
        "cmmlu" => CMMLU,
        "mmlu" => MMLU,
        _ => "",
    }
}

/// Whether the evaluator knows a benchmark, or a subject of one, of this name.
pub fn is_benchmark(name: &str) -> bool {
    let name = benchmark_name(name);
    BENCHMARKS.iter().any(|known| {
        let subject = known.subject_prefix.and_then(|prefix| name.strip_prefix(prefix));
        known.name == name
            || subject.is_some_and(|subject| subjects_of(known.name).split(' ').any(|known| known == subject))
    })
}

/// The evaluator's own name of what goes by several.
pub fn benchmark_name(name: &str) -> String {
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
            "cmmlu_anatomy",
        ] {
            assert!(is_benchmark(known), "{known}");
        }
        for unknown in
            ["", "ARC", "arc", "mmlu_", "mmlu_ceval_law", "../x", "arc_easy.yaml", "arc_easy_", "humaneval"]
        {
            assert!(!is_benchmark(unknown), "{unknown}");
        }
    }
}
