//! A specification's JSON Schema: one object a kind, told apart by its `kind`.
//!
//! Written by hand because the kinds refuse unknown keys: a composition of a kind's own object and a second one that holds
//! only `kind` would refuse everything.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Discriminator, Ref, RefOr, Schema,
        schema::{ObjectBuilder, OneOfBuilder, Type},
    },
};

use super::{CompilationSpec, EvaluationSpec, TaskKind, TaskSpec, TrainingSpec};

impl PartialSchema for TaskSpec {
    fn schema() -> RefOr<Schema> {
        let mut discriminator = Discriminator::new("kind");
        let mut kinds = OneOfBuilder::new().description(Some("What a task does, by its `kind`."));
        for kind in TaskKind::ALL {
            let place = Ref::from_schema_name(name_of(kind));
            discriminator.mapping.insert(kind.as_str().to_owned(), place.ref_location.clone());
            kinds = kinds.item(place);
        }
        kinds.discriminator(Some(discriminator)).into()
    }
}

impl ToSchema for TaskSpec {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        TrainingSpec::schemas(schemas);
        EvaluationSpec::schemas(schemas);
        CompilationSpec::schemas(schemas);
        schemas.extend([
            tagged(TaskKind::Training, TrainingSpec::schema()),
            tagged(TaskKind::Evaluation, EvaluationSpec::schema()),
            tagged(TaskKind::Compilation, CompilationSpec::schema()),
        ]);
    }
}

const fn name_of(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Training => "TrainingSpec",
        TaskKind::Evaluation => "EvaluationSpec",
        TaskKind::Compilation => "CompilationSpec",
    }
}

/// The schema with the key that names its kind.
fn tagged(kind: TaskKind, mut schema: RefOr<Schema>) -> (String, RefOr<Schema>) {
    if let RefOr::T(Schema::Object(object)) = &mut schema {
        let tag = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([kind.as_str()]));
        object.properties.insert("kind".to_owned(), tag.into());
        object.required.insert(0, "kind".to_owned());
    }
    (name_of(kind).to_owned(), schema)
}
